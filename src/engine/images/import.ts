/** `docker import`: an image of one layer from a root filesystem. */
import { TsengineError } from '../../errors.ts';
import { containerConfigSchema } from '../api/container-config.ts';
import type { ImportOptions } from '../api/services.ts';
import { parseReference, type Reference, withDefaultTag } from '../references/reference.ts';
import { hostArchitecture } from './archive/oci-layout.ts';
import { applyChanges } from './changes/apply.ts';
import type { ImageContext } from './context.ts';
import { createdNow, newImageConfig } from './new-config.ts';
import { recordImage } from './record.ts';

/** The name an import gives; none without a reference. */
function nameOf(text: string | undefined): Reference[] {
  if (text === undefined || text === '') return [];
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw new TsengineError('InvalidParameter', 'cannot import digest reference');
  }
  return [withDefaultTag(reference)];
}

interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

/** `os[/arch[/variant]]`, or an architecture alone. Source: containerd's platforms package, which Docker asks. */
function platformOf(text: string | undefined): Platform {
  const host = hostArchitecture();
  if (text === undefined || text === '') return { os: 'linux', architecture: host, variant: '' };
  const [first = '', second, variant = '', ...more] = text.toLowerCase().split('/');
  const bad = (why: string) => new TsengineError('InvalidParameter', `${why}: invalid argument`);
  if (more.length > 0) throw bad(`${JSON.stringify(text)}: cannot parse platform specifier`);
  for (const part of text.split('/')) {
    if (/^[A-Za-z0-9_-]+$/.test(part)) continue;
    throw bad(
      `${JSON.stringify(part)} is an invalid component of ${JSON.stringify(text)}: platform specifier component must match "^[A-Za-z0-9_-]+$"`,
    );
  }
  const platform =
    second === undefined && first !== 'linux' && first !== 'windows'
      ? { os: 'linux', architecture: first, variant }
      : { os: first, architecture: second ?? host, variant };
  if (platform.os !== 'linux') {
    throw new TsengineError('InvalidParameter', 'operating system is not supported');
  }
  return platform;
}

/** Makes the image. Everything that can be wrong but the tar is found before it is read. */
export async function importImage(
  context: ImageContext,
  tar: AsyncIterable<Buffer>,
  options: ImportOptions = {},
): Promise<string> {
  const names = nameOf(options.reference);
  const platform = platformOf(options.platform);
  const config = applyChanges(containerConfigSchema.parse({}), options.changes ?? []);
  await using batch = context.layers.batch();
  const { progress } = options;
  const counted = async function* (): AsyncGenerator<Buffer> {
    let current = 0;
    for await (const chunk of tar) {
      current += chunk.length;
      yield chunk;
      progress?.({ id: '', action: 'Importing', current });
    }
  };
  const layer = await batch.add(counted(), undefined);
  const created = createdNow();
  const comment =
    options.message === undefined || options.message === '' ? 'Imported from -' : options.message;
  const raw = newImageConfig({
    ...platform,
    config,
    created,
    comment,
    diffIds: [layer.diffId],
    history: [{ created, comment }],
  });
  return await batch.commit(() => recordImage(context, batch, raw, names));
}
