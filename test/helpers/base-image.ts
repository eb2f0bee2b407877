import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const script = join(resolve(import.meta.dirname, '../..'), 'scripts/base-image.sh');
const made = new Map<string, Promise<string>>();

/**
 * The path of a tar with this system's Debian release as a root file system: apt, bash, about 6 700 entries and 120 MB.
 * Made from the machine's mirror where the cache has none (about 15 s); test files that ask at once wait for one making.
 * The file is the cache's own: read it only.
 */
export function baseImageTar(): Promise<string> {
  return makeOnce('debian');
}

/**
 * The path of a tar with a root file system of 2 MB for fast tests: a static busybox with its applets in /bin, users
 * root and nobody, and empty /proc, /sys, /dev, /tmp, /root. The file is the cache's own: read it only.
 */
export function tinyRootfs(): Promise<string> {
  return makeOnce('tiny');
}

function makeOnce(kind: 'debian' | 'tiny'): Promise<string> {
  const path = made.get(kind) ?? run(kind);
  made.set(kind, path);
  return path;
}

async function run(kind: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', [script, kind]);
  return stdout.trim();
}
