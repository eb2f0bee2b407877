/** What of `/proc/self/mountinfo` may differ. */

/**
 * A line each mount: where, of what, how. By mount point, because Docker makes mounts of one depth in random order; a later
 * mount on the same point stays after the earlier one.
 */
export function normaliseMounts(lines: readonly string[]): string[] {
  return lines.map(normaliseMount).sort((a, b) => compare(pointOf(a), pointOf(b)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function pointOf(mount: string): string {
  return mount.split(' ')[0] ?? '';
}

/**
 * Fields 1 to 3 are numbers that the kernel hands out: the mount's, its parent's, the device's. So are those of
 * propagation groups.
 */
function normaliseMount(line: string): string {
  const [, , , root = '', point = '', ...rest] = line.split(' ');
  const dash = rest.indexOf('-');
  const fields = rest.slice(0, dash).map((field) => field.replace(/:\d+$/, ''));
  const [type = '', source = '', superOptions = ''] = rest.slice(dash + 1);
  return [
    point,
    root,
    ...fields,
    '-',
    type,
    source,
    type === 'overlay' ? layers(superOptions) : superOptions,
  ].join(' ');
}

/**
 * Where layers lie is the engine's affair: of the paths only their number counts. tsengine mounts containers that go at
 * their end `volatile`, since nobody reads them after a power cut; the kernel then shows `uuid=on` as well.
 */
function layers(options: string): string {
  return options
    .replace(/lowerdir=([^,]*)/, (_, paths: string) => `${paths.split(':').length} layers`)
    .replaceAll(/,(?:upperdir|workdir)=[^,]*/g, '')
    .replace(',uuid=on', '')
    .replace(/,(?:fsync=)?volatile/, '');
}
