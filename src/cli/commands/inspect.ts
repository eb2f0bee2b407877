import type { Command } from 'commander';
import type { Engine } from '../../engine/api/services.ts';
import { errorMessage, TsengineError } from '../../errors.ts';
import type { CommandContext, CommandModule } from '../command.ts';
import { asJson, compileTemplate, executeOnTyped, type Template } from '../format/template.ts';
import { writeOut } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface InspectFlags {
  readonly format?: string;
  readonly size?: boolean;
  readonly type?: string;
}

/** `tsengine inspect`: everything about containers and images, as JSON or through a template. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] NAME|ID [NAME|ID...]')
    .argument('<name...>')
    .option('-f, --format <string>', 'Format the output using the given Go template, or "json"')
    .option('-s, --size', 'Display total file sizes if the type is container')
    .option('--type <string>', 'Return JSON for specified type: "container" or "image"')
    .action((names: string[], flags: InspectFlags) => inspectAll(names, flags, context));
}

/** `tsengine container inspect`. */
export const ofContainers: CommandModule = {
  register(command, context) {
    command
      .usage('[OPTIONS] CONTAINER [CONTAINER...]')
      .argument('<container...>')
      .option('-f, --format <string>', 'Format the output using the given Go template, or "json"')
      .option('-s, --size', 'Display total file sizes')
      .action((names: string[], flags: InspectFlags) =>
        inspectAll(names, { ...flags, type: 'container' }, context),
      );
  },
};

/** `tsengine image inspect`. */
export const ofImages: CommandModule = {
  register(command, context) {
    command
      .usage('[OPTIONS] IMAGE [IMAGE...]')
      .argument('<image...>')
      .option('-f, --format <string>', 'Format the output using the given Go template, or "json"')
      .action((names: string[], flags: InspectFlags) =>
        inspectAll(names, { ...flags, type: 'image' }, context),
      );
  },
};

/** Inspects each name and prints what was found: a JSON array, or one line each with a template. Failures follow. */
async function inspectAll(
  names: readonly string[],
  flags: InspectFlags,
  context: CommandContext,
): Promise<void> {
  const { type } = flags;
  if (type !== undefined && type !== '' && type !== 'container' && type !== 'image') {
    throw new TsengineError('InvalidParameter', `"${type}" is not a valid value for --type`);
  }
  const { format = '' } = flags;
  const template =
    format === '' ? undefined : compileTemplate(format === 'json' ? '{{json .}}' : format, 'object');
  const found: Found[] = [];
  const failures: unknown[] = [];
  await withEngine(context, async (engine) => {
    for (const name of names) {
      try {
        found.push(await inspectOne(engine, name, flags));
      } catch (error) {
        failures.push(error);
      }
    }
  });
  if (flags.size === true) {
    for (const { type } of found) {
      if (type === 'Image') process.stderr.write('WARNING: --size ignored for image\n');
    }
  }
  const objects = found.map(({ object }) => object);
  const text =
    template === undefined
      ? `${JSON.stringify(objects, undefined, 4)}\n`
      : await renderAll(template, found, failures);
  await writeOut(1, text);
  for (const failure of failures) process.stderr.write(`tsengine: ${errorMessage(failure)}\n`);
  if (failures.length > 0) process.exitCode = 1;
}

/** One line for each object, up to the first that the template fails on. Docker ends with a newline in any case. */
async function renderAll(template: Template, found: readonly Found[], failures: unknown[]): Promise<string> {
  const [{ typedReader }, { INSPECT_TYPES }] = await Promise.all([
    import('../format/go/typed.ts'),
    import('../format/inspect-types.ts'),
  ]);
  const reader = typedReader(INSPECT_TYPES, asJson);
  let text = '';
  try {
    for (const { type, object } of found) text += `${executeOnTyped(template, object, reader, type)}\n`;
  } catch (error) {
    failures.push(error);
  }
  return text === '' ? '\n' : text;
}

interface Found {
  readonly type: 'Container' | 'Image';
  readonly object: object;
}

/** The container of that name, else the image, as Docker looks things up. */
async function inspectOne(engine: Engine, name: string, flags: InspectFlags): Promise<Found> {
  const container = async (): Promise<Found> => {
    const object = await engine.containers.inspect(name, { size: flags.size === true });
    return { type: 'Container', object };
  };
  const image = async (): Promise<Found> => ({ type: 'Image', object: await engine.images.inspect(name) });
  const looks = [
    ...(flags.type === 'image' ? [] : [container]),
    ...(flags.type === 'container' ? [] : [image]),
  ];
  for (const look of looks) {
    try {
      return await look();
    } catch (error) {
      if (!isMissing(error, name)) throw error;
    }
  }
  const what = { container: 'container', image: 'image' }[flags.type ?? ''] ?? 'object';
  throw new TsengineError('NotFound', `No such ${what}: ${name}`);
}

/** What can be no name is the name of nothing. */
function isMissing(error: unknown, name: string): boolean {
  if (!(error instanceof TsengineError)) return false;
  return error.code === 'NotFound' || name === '' || error.message.startsWith('invalid reference format');
}
