/**
 * A tree of several layers for reading alone. All its directories are lower ones, the topmost too, which another mount may
 * be writing: without an upper and a work directory the kernel writes nothing to any of them.
 */
import { hasErrno } from '../../errors.ts';
import { mountFailure, mountOverlay } from './mount.ts';

/** What is laid over each other. Names are relative to `home`. */
export interface ViewRequest {
  readonly home: string;
  /** Whose view it is, for errors. */
  readonly id: string;
  /** Topmost first; at least two. */
  readonly directories: readonly string[];
  /** Mount options, left out where this kernel does not know them. */
  readonly options: string;
}

/** Mounts it on `target`. `farm` is a folder for short-lived links. */
export function mountView(target: string, farm: string, request: ViewRequest): void {
  const { home, directories: lowers, id } = request;
  const attempts = [request.options, ''];
  for (const [index, options] of attempts.entries()) {
    try {
      mountOverlay({ home, target, lowers, options }, farm);
      return;
    } catch (error) {
      if (!hasErrno(error, 'EINVAL') || index === attempts.length - 1)
        throw mountFailure(error, id, lowers.slice(1), home);
    }
  }
}
