/** Options of tmpfs mounts: those of `--tmpfs`, those of `--mount type=tmpfs`, and how they meet the defaults. */
import { TsengineError } from '../../../errors.ts';
import type { Mount } from '../../api/host-config.ts';

/** Options that exclude one another: of each line the last one given counts. Names are mount(8)'s. */
const EXCLUSIVE = [
  'ro rw',
  'suid nosuid',
  'dev nodev',
  'exec noexec',
  'sync async',
  'dirsync',
  'remount',
  'mand nomand',
  'atime noatime',
  'diratime nodiratime',
  'relatime norelatime',
  'strictatime nostrictatime',
  'bind rbind unbindable runbindable private rprivate shared rshared slave rslave',
];

/** Options with a value that tmpfs(5) has and Docker lets through. */
const VALUED = new Set(['', 'size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);

/** What an option competes with: its line above, or the name before `=`. Throws `InvalidParameter` in Docker's words. */
function rival(option: string): string {
  const line = EXCLUSIVE.find((names) => names.split(' ').includes(option));
  if (line !== undefined) return line;
  const equals = option.indexOf('=');
  const name = option.slice(0, Math.max(equals, 0));
  if (equals >= 0 && VALUED.has(name)) return `${name}=`;
  const words = equals < 0 ? [option] : [name, option.slice(equals + 1)];
  throw new TsengineError(
    'InvalidParameter',
    `invalid tmpfs option [${words.map((w) => JSON.stringify(w)).join(' ')}]`,
  );
}

/**
 * The options of a tmpfs mount: Docker's defaults, then `data` (`size=1m,exec`), of rivals the last, in the order of
 * the survivors. Throws `InvalidParameter` with Docker's `invalid tmpfs option ["foo" "1"]`.
 */
export function tmpfsOptions(data: string): string[] {
  const asked = ['noexec', 'nosuid', 'nodev', 'rprivate', ...(data === '' ? [] : data.split(','))];
  const wanted = asked.filter((option) => option !== 'defaults');
  const last = new Map(wanted.map((option, index) => [rival(option), index]));
  return wanted.filter((option, index) => last.get(rival(option)) === index);
}

/** `1048576` as `1m`: the largest of g, m and k that divides it. */
function shortSize(bytes: number): string {
  for (const [suffix, unit] of [['g', 2 ** 30] as const, ['m', 2 ** 20] as const, ['k', 2 ** 10] as const]) {
    if (bytes % unit === 0) return `${bytes / unit}${suffix}`;
  }
  return String(bytes);
}

/** The options that a `--mount type=tmpfs` stands for, as `--tmpfs` would write them. */
export function tmpfsData(mount: Mount): string {
  const options: string[] = [];
  if (mount.ReadOnly === true) options.push('ro');
  const mode = mount.TmpfsOptions?.Mode ?? 0;
  if (mode !== 0) options.push(`mode=${mode.toString(8)}`);
  const size = mount.TmpfsOptions?.SizeBytes ?? 0;
  if (size !== 0) options.push(`size=${shortSize(size)}`);
  return options.join(',');
}
