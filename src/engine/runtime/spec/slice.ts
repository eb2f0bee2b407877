/** The names that systemd has for cgroups. */

/** Whether it is the name of a slice, as far as Docker looks. */
export function isSlice(name: string): boolean {
  return name.length > '.slice'.length && name.endsWith('.slice');
}

/** What Docker says of a cgroup parent that is none. */
export const NO_SLICE = 'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"';

/**
 * The path, from the root of each hierarchy, of what `cgroupsPath` names: `SLICE:PREFIX:NAME` is systemd's scope `PREFIX-NAME`
 * in that slice, and the slice `a-b.slice` is in `a.slice`. `undefined` for what is neither that nor a path. Sources:
 * systemd.slice(5), libcontainer's `ExpandSlice` and `getUnitName`; crun does the same.
 */
export function cgroupPath(cgroupsPath: string): string | undefined {
  if (cgroupsPath.startsWith('/')) return cgroupsPath;
  const [slice, prefix, name, ...more] = cgroupsPath.split(':');
  if (slice === undefined || prefix === undefined || !name || more.length > 0) return undefined;
  const parts = (slice === '' ? 'system' : slice.replace(/\.slice$/, '')).split('-');
  const slices = slice === '-.slice' ? [] : parts.map((_, at) => `${parts.slice(0, at + 1).join('-')}.slice`);
  const unit = name.endsWith('.slice') ? name : `${[prefix, name].filter(Boolean).join('-')}.scope`;
  return ['', ...slices, unit].join('/');
}
