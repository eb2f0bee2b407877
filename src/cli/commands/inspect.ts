import type { Command } from 'commander';
import type { Engine } from '../../engine/api/services.ts';
import { errorMessage, TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { compileTemplate, executeOnObject } from '../format/template.ts';
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
  const asJson = flags.format === undefined || flags.format === '';
  const template =
    asJson || flags.format === undefined
      ? undefined
      : compileTemplate(flags.format === 'json' ? '{{json .}}' : flags.format, 'object');
  const found: object[] = [];
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
  const text =
    template === undefined
      ? `${JSON.stringify(found, undefined, 4)}\n`
      : found.map((object) => `${executeOnObject(template, object)}\n`).join('');
  await writeOut(1, text);
  for (const failure of failures) process.stderr.write(`tsengine: ${errorMessage(failure)}\n`);
  if (failures.length > 0) process.exitCode = 1;
}

/** The container of that name, else the image, as Docker looks things up. */
async function inspectOne(engine: Engine, name: string, flags: InspectFlags): Promise<object> {
  const container = () => engine.containers.inspect(name, { size: flags.size === true });
  if (flags.type === 'container') return await container();
  if (flags.type === 'image') return await engine.images.inspect(name);
  for (const look of [container, () => engine.images.inspect(name)]) {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof TsengineError && error.code === 'NotFound')) throw error;
    }
  }
  throw new TsengineError('NotFound', `No such object: ${name}`);
}
