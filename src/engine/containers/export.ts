import type { ContainerContext } from './context.ts';
import { readContainer } from './context.ts';

/** `export`: a container's whole root filesystem as tar, whether it runs or not. */
export async function* exportContainer(context: ContainerContext, id: string): AsyncGenerator<Buffer> {
  const { file } = readContainer(context, id);
  await using mounted = await context.layers.mountContainerLayer(
    id,
    file.MountLabel === '' ? undefined : file.MountLabel,
    { isReadOnly: true },
  );
  const { packTree } = await import('../../archive/pack.ts');
  yield* packTree(mounted.path, {
    warn: (message: string) => context.warn(message),
    listsFirst: mounted.countsNamesLate === true,
  });
}
