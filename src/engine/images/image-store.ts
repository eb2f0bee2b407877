/**
 * Images by id, in Docker's layout under `image/<driver>/imagedb/`:
 *
 *     content/sha256/<id>              the configuration; its SHA-256 is the id
 *     metadata/sha256/<id>/parent      the image it was made from on this machine, `sha256:…`; often absent
 *     metadata/sha256/<id>/lastUpdated when it was last tagged, RFC 3339
 *
 * An image exists when its configuration does: it is written after all it needs, and removed before the rest of it.
 * What changes something is called under the `images` lock.
 */
import { existsSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import {
  fsyncDirectory,
  listDirectory,
  readFile,
  readTextIfAny,
  removeDirectory,
  removeFile,
} from '../../linux/files.ts';
import { digestHex } from '../layers/chain-id.ts';
import type { DiffId } from '../layers/types.ts';
import { replaceFile } from '../replace-file.ts';
import { ensureDirectory } from '../root.ts';
import { formatTimestamp, now, ZERO_TIME } from '../text/timestamp.ts';
import { imageIdOf, parseImage } from './image-config.ts';
import { type ImageFacts, imageFacts } from './image-facts.ts';
import type { Image, ImageStore } from './types.ts';

const HEX64 = /^[0-9a-f]{64}$/;
const ID = /^sha256:[0-9a-f]{64}$/;

/** The store, with what only the image service calls. */
export class FileImageStore implements ImageStore {
  readonly #content: string;
  readonly #metadata: string;
  readonly #tmpDir: string;
  readonly #warn: (message: string) => void;

  constructor(imageDir: string, warn: (message: string) => void) {
    this.#content = `${imageDir}/imagedb/content/sha256`;
    this.#metadata = `${imageDir}/imagedb/metadata/sha256`;
    this.#tmpDir = `${imageDir}/layerdb/tmp`;
    this.#warn = warn;
  }

  /** The file that an image is. */
  file(id: string): string {
    return `${this.#content}/${digestHex(id)}`;
  }

  get(id: string): Image | undefined {
    const raw = this.#read(id);
    return raw === undefined ? undefined : parseImage(raw, this.file(id), id);
  }

  #read(id: string): Buffer | undefined {
    if (!ID.test(id)) return undefined;
    let raw: Buffer;
    try {
      raw = readFile(this.file(id));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    if (imageIdOf(raw) !== id) {
      throw new TsengineError(
        'Corrupt',
        `${this.file(id)}: the content does not have the digest that its name says`,
      );
    }
    return raw;
  }

  exists(id: string): boolean {
    return ID.test(id) && existsSync(this.file(id));
  }

  ids(): string[] {
    return listDirectory(this.#content)
      .filter((name) => HEX64.test(name))
      .map((name) => `sha256:${name}`);
  }

  /** All images that can be read; a warning for each that cannot, as Docker logs it at its start. */
  all(): ImageFacts[] {
    return this.each((id) => this.facts(id));
  }

  /** What `read` gives for each image, and a warning where it fails. */
  each<T>(read: (id: string) => T | undefined): T[] {
    return this.ids().flatMap((id) => {
      try {
        return read(id) ?? [];
      } catch (error) {
        this.#warn(`image ${id.slice(7, 19)} is left out: ${errorMessage(error)}`);
        return [];
      }
    });
  }

  /** What lists show of an image; `undefined` when there is none. Fails with `Corrupt`, naming file and field. */
  facts(id: string): ImageFacts | undefined {
    const raw = this.#read(id);
    return raw === undefined ? undefined : imageFacts(id, raw, this.file(id));
  }

  /** The id of the one image whose id begins with `prefix` (with or without `sha256:`); `undefined` when there is none or there are several. */
  search(prefix: string): string | undefined {
    const [only, ...more] = this.matching(prefix);
    return more.length === 0 ? only : undefined;
  }

  /** The ids that begin with `prefix` (with or without `sha256:`). */
  matching(prefix: string): string[] {
    const hex = prefix.startsWith('sha256:') ? prefix.slice(7) : prefix;
    return /^[0-9a-f]{1,64}$/.test(hex) ? this.ids().filter((id) => id.startsWith(hex, 7)) : [];
  }

  /** The layers of every image, for counting references. */
  *layersOfAll(): Iterable<readonly DiffId[]> {
    for (const id of this.ids()) {
      const raw = readTextIfAny(this.file(id));
      if (raw !== undefined) yield imageFacts(id, raw, this.file(id)).diffIds;
    }
  }

  async create(raw: Buffer, parent?: string): Promise<string> {
    const id = imageIdOf(raw);
    if (!this.exists(id)) {
      for (const path of [this.#content, this.#metadata]) ensureDirectory(path, 0o700);
      // Left by a crash after an earlier image of this id was removed.
      this.#removeMetadata(id);
      if (parent !== undefined) this.#setMetadata(id, 'parent', parent);
      replaceFile(this.#tmpDir, this.file(id), raw);
    }
    return id;
  }

  parentOf(id: string): string | undefined {
    const parent = this.#metadataValue(id, 'parent');
    return parent !== undefined && ID.test(parent) ? parent : undefined;
  }

  /** The images that were made from it on this machine. */
  children(id: string): string[] {
    return this.ids().filter((other) => this.parentOf(other) === id);
  }

  /** When it was last tagged, RFC 3339; Go's zero time when never. */
  lastTagTime(id: string): string {
    return this.#metadataValue(id, 'lastUpdated') ?? ZERO_TIME;
  }

  /** Records that it was tagged now. Nothing depends on it, so that it may be lost in a power cut. */
  setTagged(id: string): void {
    this.#setMetadata(id, 'lastUpdated', formatTimestamp(now()), false);
  }

  /** Removes the image: its configuration first, and with that it is gone; for good when this returns. */
  delete(id: string): void {
    const isThere = this.exists(id);
    removeFile(this.file(id));
    this.#removeMetadata(id);
    // Last, so that nothing is left of it where this fails.
    if (isThere) fsyncDirectory(this.#content);
  }

  #metadataValue(id: string, name: string): string | undefined {
    const file = `${this.#metadata}/${digestHex(id)}/${name}`;
    // Nearly always absent, and an error costs far more than a look.
    return existsSync(file) ? readTextIfAny(file)?.trim() : undefined;
  }

  #setMetadata(id: string, name: string, value: string, durable = true): void {
    const folder = `${this.#metadata}/${digestHex(id)}`;
    ensureDirectory(this.#metadata, 0o700);
    ensureDirectory(folder, 0o700);
    replaceFile(this.#tmpDir, `${folder}/${name}`, value, durable);
  }

  #removeMetadata(id: string): void {
    const folder = `${this.#metadata}/${digestHex(id)}`;
    if (!existsSync(folder)) return;
    for (const name of listDirectory(folder)) removeFile(`${folder}/${name}`);
    removeDirectory(folder);
  }
}
