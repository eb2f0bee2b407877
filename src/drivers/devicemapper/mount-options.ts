/** The words of `dm.mountopt` that mount(2) takes as flags, as mount(8) and Docker read them. */
import { MS_NOATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from '../../linux/mount.ts';

/** Source: `linux/mount.h`. */
const MS_SYNCHRONOUS = 16;
const MS_MANDLOCK = 64;
const MS_DIRSYNC = 128;
const MS_NOSYMFOLLOW = 256;
const MS_NODIRATIME = 2048;
const MS_SILENT = 1 << 15;
const MS_RELATIME = 1 << 21;
const MS_I_VERSION = 1 << 23;
const MS_STRICTATIME = 1 << 24;
const MS_LAZYTIME = 1 << 25;

/** Which flags a word clears and then sets. */
type Effect = readonly [clear: number, set: number];

const sets = (flag: number, instead = 0): Effect => [instead, flag];
const clears = (flag: number): Effect => [flag, 0];

/** Those of one mount among many (`bind`, `remount`, `shared`…) have no place here, and the filesystem refuses them. */
const FLAGS: ReadonlyMap<string, Effect> = new Map([
  ['defaults', sets(0)],
  ['rw', clears(MS_RDONLY)],
  ['ro', sets(MS_RDONLY)],
  ['suid', clears(MS_NOSUID)],
  ['nosuid', sets(MS_NOSUID)],
  ['dev', clears(MS_NODEV)],
  ['nodev', sets(MS_NODEV)],
  ['exec', clears(MS_NOEXEC)],
  ['noexec', sets(MS_NOEXEC)],
  ['async', clears(MS_SYNCHRONOUS)],
  ['sync', sets(MS_SYNCHRONOUS)],
  ['dirsync', sets(MS_DIRSYNC)],
  ['nomand', clears(MS_MANDLOCK)],
  ['mand', sets(MS_MANDLOCK)],
  ['symfollow', clears(MS_NOSYMFOLLOW)],
  ['nosymfollow', sets(MS_NOSYMFOLLOW)],
  ['atime', clears(MS_NOATIME)],
  ['noatime', sets(MS_NOATIME, MS_STRICTATIME)],
  ['diratime', clears(MS_NODIRATIME)],
  ['nodiratime', sets(MS_NODIRATIME)],
  ['norelatime', clears(MS_RELATIME)],
  ['relatime', sets(MS_RELATIME, MS_NOATIME | MS_STRICTATIME)],
  ['nostrictatime', clears(MS_STRICTATIME)],
  ['strictatime', sets(MS_STRICTATIME, MS_NOATIME | MS_RELATIME)],
  ['nolazytime', clears(MS_LAZYTIME)],
  ['lazytime', sets(MS_LAZYTIME)],
  ['noiversion', clears(MS_I_VERSION)],
  ['iversion', sets(MS_I_VERSION)],
  ['loud', clears(MS_SILENT)],
  ['silent', sets(MS_SILENT)],
]);

/** The flags that the words of `options`, separated by commas, make of those there are, and the words for the filesystem itself. */
export function splitMountOptions(
  options: string,
  flags = 0,
): { readonly flags: number; readonly words: readonly string[] } {
  const words = options.split(',').filter((word) => word !== '');
  let sum = flags;
  for (const word of words) {
    const [clear, set] = FLAGS.get(word) ?? [0, 0];
    sum = (sum & ~clear) | set;
  }
  return { flags: sum, words: words.filter((word) => !FLAGS.has(word)) };
}
