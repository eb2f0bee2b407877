/** One thing that a kernel may be able to do, and how an attempt becomes an answer. */
import { errorMessage, firstError, hasErrno, TsengineError } from '../../errors.ts';
import type { Backing, Feature } from './schema.ts';

/** Where it is tried. */
export interface Place {
  /** An empty folder of its own on the filesystem. */
  readonly folder: string;
  readonly backing: Backing;
  /** A folder of its own elsewhere, for mount points. */
  readonly work: string;
  /** A folder for images. */
  readonly images: string;
}

/** A feature that is tried by doing it. */
export interface Attempt {
  readonly name: string;
  /**
   * Does it. Gives nothing when it worked, or says why it did not. An error of the kernel is a no as well; a `TsengineError` of
   * code `Unavailable` says that it could not even be tried.
   */
  attempt(place: Place): Promise<string | undefined> | string | undefined;
}

/** Tries it. Never throws. */
export async function tryFeature({ name, attempt }: Attempt, place: Place): Promise<Feature> {
  const { backing } = place;
  try {
    const reason = await attempt(place);
    return { name, backing, answer: reason === undefined ? 'yes' : 'no', reason: reason ?? '' };
  } catch (error) {
    const first = firstError(error);
    const message = errorMessage(error)
      .replaceAll(place.folder, '')
      .replaceAll(place.work, '')
      .replaceAll(place.images, '');
    const errno = first instanceof Error && 'code' in first ? String(first.code) : '';
    const code = /^E[A-Z0-9]+$/.test(errno) && !message.startsWith(errno) ? `${errno}: ` : '';
    if (first instanceof TsengineError && hasErrno(first, 'Unavailable')) {
      return { name, backing, answer: 'unknown', reason: message };
    }
    return { name, backing, answer: 'no', reason: `${code}${message}` };
  }
}
