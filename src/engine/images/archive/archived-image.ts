import type { DiffId } from '../../layers/types.ts';
import type { ArchiveFile } from './archive-file.ts';

/** One image as an archive describes it, before anything of it was believed. */
export interface ArchivedImage {
  /** Its configuration; where an archive has none, what makes it once the layers' diff IDs are known. */
  readonly config: Buffer | ((diffIds: readonly DiffId[]) => Buffer);
  /** What the configuration is called in messages. */
  readonly configName: string;
  /** The members that hold its layers, bottom first. */
  readonly layers: readonly string[];
  /** Names it is to get, as the archive has them. */
  readonly tags: readonly string[];
  /** The id of the image it was made from, `sha256:…`. */
  readonly parent?: string | undefined;
}

/** Reads one form of archive. */
export type ArchiveReader = (archive: ArchiveFile) => ArchivedImage[];
