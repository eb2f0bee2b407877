/**
 * `docker rmi`: when a name goes, when the image goes with it, and when neither may. The rules and the words are
 * Docker 20.10.24's, found by running it; order of the rows included.
 */
import { errorMessage, TsengineError } from '../../errors.ts';
import type { ImageDeleteItem } from '../api/services.ts';
import type { LayerHold } from '../layers/types.ts';
import { familiarString, type Reference, repositoryName, withDefaultTag } from '../references/reference.ts';
import type { References } from '../references/reference-store.ts';
import { keepReserve, withReserve } from '../reserve.ts';
import { type ImageContext, type ImageUser, parseName, resolveImage } from './context.ts';
import type { Image } from './types.ts';

/** What `rmi` is asked for. */
export interface RemoveOptions {
  readonly force?: boolean;
  /** Keep the untagged images that it was made from. */
  readonly noPrune?: boolean;
  /** Do nothing unless the name means this image, which is what `prune` has chosen, and, with `nameless`, unless it has no tag. */
  readonly only?: { readonly id: string; readonly nameless: boolean };
}

/** The 12 characters of an id that Docker shows. */
function short(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

/** Whether all names of an image are one tag, and digests of that tag's repository. */
function isSingleReference(names: readonly Reference[]): boolean {
  if (names.length <= 1) return true;
  const tags = names.filter(({ digest }) => digest === undefined);
  const repositories = new Set(names.filter(({ digest }) => digest !== undefined).map(repositoryName));
  const [single = names[0]] = tags;
  if (tags.length > 1 || single === undefined) return false;
  return repositories.size === 1 && repositories.has(repositoryName(single));
}

interface Conflict {
  readonly hard: boolean;
  readonly used: boolean;
  readonly message: string;
}

function halfRemoved(id: string, what: string, error: unknown): TsengineError {
  return new TsengineError(
    'System',
    `image ${short(id)} is removed, but not all of its ${what}, which the next command tries again: ${errorMessage(error)}`,
    { cause: error },
  );
}

/** Which conflicts count: those that force overrides, and names. */
interface Checks {
  readonly soft: boolean;
  readonly names: boolean;
}

/** One removal, under the `images` lock. */
class Removal {
  readonly items: ImageDeleteItem[] = [];
  /** Images whose configuration is gone, with the order in which their layers are to go. */
  readonly removed: { readonly image: Image; readonly at: number }[] = [];
  readonly #context: ImageContext;
  readonly #names: References;
  readonly #users: readonly ImageUser[];
  readonly #layers: LayerHold;
  readonly #untagged: { readonly reference: Reference; readonly id: string }[] = [];
  #changed = false;

  constructor(context: ImageContext, names: References, users: readonly ImageUser[], layers: LayerHold) {
    this.#context = context;
    this.#names = names;
    this.#users = users;
    this.#layers = layers;
  }

  run(name: string, image: Image, force: boolean, prune: boolean): void {
    const byId = image.id.startsWith(name) || image.id.startsWith(name, 7);
    if (byId) this.#removeSingleName(image, force);
    else if (!this.#removeName(name, image, force)) return;
    this.#removeImage(image, force, prune, !byId);
  }

  /** Writes the names down before an image goes, so that no name ever points to nothing. */
  flush(): void {
    if (this.#changed) this.#context.references.write(this.#names);
    this.#changed = false;
  }

  /** After a failure: gives images that could not be removed their names back. What went halfway the lease leaves to the next start. */
  takeBack(): void {
    const { references, images } = this.#context;
    this.#layers.leaveBehind();
    try {
      const names = references.read();
      const lost = this.#untagged.filter(
        ({ reference, id }) => names.get(reference) === undefined && images.exists(id),
      );
      for (const { reference, id } of lost) names.put(reference, id);
      if (lost.length > 0) references.write(names);
    } catch {
      // The first error says more.
    }
  }

  #untag(reference: Reference): void {
    const id = this.#names.get(reference);
    if (id !== undefined) this.#untagged.push({ reference, id });
    this.#names.delete(reference);
    this.#changed = true;
    this.items.push({ Untagged: familiarString(reference) });
  }

  /** `rmi NAME`. Whether the image itself is to go as well. */
  #removeName(name: string, image: Image, force: boolean): boolean {
    const parsed = parseName(name);
    if ('id' in parsed) return true;
    const user = this.#users.find(({ imageId }) => imageId === image.id);
    if (!force && user !== undefined && isSingleReference(this.#names.of(image.id))) {
      throw new TsengineError(
        'Conflict',
        `conflict: unable to remove repository reference "${name}" (must force) - container ${short(user.containerId)} is using its referenced image ${short(image.id)}`,
      );
    }
    const reference = withDefaultTag(parsed.reference);
    this.#untag(reference);
    if (reference.digest === undefined) this.#removeDigestsOf(reference, image);
    return this.#names.of(image.id).length === 0;
  }

  /** With the last tag of a repository, the digests that it was pulled by go too. */
  #removeDigestsOf(removed: Reference, image: Image): void {
    const same = this.#names.of(image.id).filter((one) => repositoryName(one) === repositoryName(removed));
    if (same.some(({ digest }) => digest === undefined)) return;
    for (const reference of same) this.#untag(reference);
  }

  /** `rmi ID`: the only name goes with the image. */
  #removeSingleName(image: Image, force: boolean): void {
    const names = this.#names.of(image.id);
    if (!isSingleReference(names)) return;
    this.#refuse(image, this.#conflict(image, { soft: !force, names: false }));
    for (const reference of names) this.#untag(reference);
  }

  #removeImage(image: Image, force: boolean, prune: boolean, quiet: boolean): void {
    const conflict = this.#conflict(image, { soft: !force, names: !force });
    if (conflict !== undefined && quiet && (!this.#isDangling(image) || conflict.used)) return;
    this.#refuse(image, conflict);
    const parent = this.#context.images.parentOf(image.id);
    for (const reference of this.#names.of(image.id)) this.#untag(reference);
    if (image.topLayer !== undefined) this.#layers.add(image.topLayer);
    this.#layers.announce(image.id);
    this.flush();
    this.#delete(image.id);
    this.items.push({ Deleted: image.id });
    this.removed.push({ image, at: this.items.length });
    if (!prune || parent === undefined) return;
    const above = this.#context.images.get(parent);
    if (above !== undefined) this.#removeImage(above, false, true, true);
  }

  /** With its configuration an image is gone: what then fails takes nothing back, and is left to the next start. */
  #delete(id: string): void {
    const { images } = this.#context;
    try {
      images.delete(id);
    } catch (error) {
      if (images.exists(id)) throw error;
      this.#layers.leaveBehind();
      throw halfRemoved(id, 'files', error);
    }
  }

  #isDangling(image: Image): boolean {
    return this.#names.of(image.id).length === 0 && this.#context.images.children(image.id).length === 0;
  }

  #conflict(image: Image, checks: Checks): Conflict | undefined {
    if (this.#context.images.children(image.id).length > 0) {
      return { hard: true, used: false, message: 'image has dependent child images' };
    }
    const users = this.#users.filter(({ imageId }) => imageId === image.id);
    const running = users.find((user) => user.running);
    if (running !== undefined) {
      const message = `image is being used by running container ${short(running.containerId)}`;
      return { hard: true, used: true, message };
    }
    if (checks.names && this.#names.of(image.id).length > 0) {
      return { hard: false, used: false, message: 'image is referenced in multiple repositories' };
    }
    const [stopped] = users;
    if (checks.soft && stopped !== undefined) {
      const message = `image is being used by stopped container ${short(stopped.containerId)}`;
      return { hard: false, used: true, message };
    }
    return undefined;
  }

  #refuse(image: Image, conflict: Conflict | undefined): void {
    if (conflict === undefined) return;
    const how = conflict.hard ? 'cannot be forced' : 'must be forced';
    throw new TsengineError(
      'Conflict',
      `conflict: unable to delete ${short(image.id)} (${how}) - ${conflict.message}`,
    );
  }
}

/** Whether it is still what was chosen. */
function isWanted(image: Image, names: References, only: RemoveOptions['only']): boolean {
  if (only === undefined) return true;
  if (image.id !== only.id) return false;
  return !only.nameless || names.of(image.id).every(({ digest }) => digest !== undefined);
}

/** Removes names and images from the records; their layers are still there. `undefined` when it is not what was chosen any more. */
async function removeRecords(
  context: ImageContext,
  name: string,
  options: RemoveOptions,
  before: readonly ImageUser[],
  layers: LayerHold,
): Promise<Removal | undefined> {
  using _ = await context.root.lock('images');
  const users = [...before, ...(await context.usersSince(before))];
  const names = context.references.read();
  const image = resolveImage(context, name, names);
  if (!isWanted(image, names, options.only)) return undefined;
  const removal = new Removal(context, names, users, layers);
  try {
    removal.run(name, image, options.force === true, options.noPrune !== true);
    removal.flush();
  } catch (error) {
    // Docker, too, keeps what was untagged when the image then cannot go. A disk that failed is another matter.
    if (error instanceof TsengineError) removal.flush();
    else removal.takeBack();
    throw error;
  }
  return removal;
}

/**
 * Removes a name, or an image with its names and the layers that nothing else uses. Gives what happened, in Docker's
 * order. A crash leaves either the image or nothing of it; layers that it left are removed by the next start.
 */
export async function removeImage(
  context: ImageContext,
  name: string,
  options: RemoveOptions = {},
): Promise<ImageDeleteItem[]> {
  resolveImage(context, name);
  // Before the lock: locks of containers come before that of images.
  const before = await context.users();
  using layers = context.layers.hold();
  const removal = await withReserve(context.root, () =>
    removeRecords(context, name, options, before, layers),
  );
  if (removal === undefined) return [];
  const items = [...removal.items];
  let shift = 0;
  for (const { image, at } of removal.removed) {
    if (image.topLayer === undefined) continue;
    const { topLayer } = image;
    const released = await withReserve(context.root, () => layers.release(topLayer)).catch(
      (error: unknown) => {
        throw halfRemoved(image.id, 'layers', error);
      },
    );
    const gone = released.map(({ chainId }) => ({ Deleted: chainId }));
    items.splice(at + shift, 0, ...gone);
    shift += gone.length;
  }
  keepReserve(context.root);
  return items;
}
