/** FUSE filesystems whose daemon died: everything below fails with `ENOTCONN`, and no error says what is to be done. */
import { hasErrno } from '../errors.ts';
import { readMountInfo } from './mountinfo.ts';
import { lstat } from './stat.ts';

/** Where such a filesystem is mounted, if an absolute path, which need not be there, is on one. One lstat where all is well. */
export function deadMountOf(path: string): string | undefined {
  for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    try {
      lstat(at);
      return undefined;
    } catch (error) {
      if (hasErrno(error, 'ENOTCONN')) return mountOf(at);
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
  return undefined;
}

function mountOf(path: string): string {
  const points = readMountInfo().map(({ mountPoint }) => mountPoint.toString());
  const above = points.filter((point) => path === point || path.startsWith(`${point}/`));
  return above.sort((a, b) => b.length - a.length)[0] ?? path;
}
