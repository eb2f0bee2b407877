/**
 * What `zfs diff -H` prints: a line a change, fields separated by tabs, the first of them `M`, `+`, `-` or `R` (old path, then
 * new path), perhaps a last one that says by how many the names of a file changed. Source: zfs-diff(8), `libzfs_diff.c`.
 */

const KINDS: ReadonlySet<string> = new Set(['M', '+', '-', 'R']);

/**
 * Where a file keeps extended attributes that are files of their own (`xattr=on`): those are named by its path and this. From
 * here on a path is cut off; a name that really ends so costs a look at another file.
 */
const ATTRIBUTES = '/<xattrdir>';

/** Undoes the escapes: whatever is not a printing character of ASCII, and the backslash, is `\` and four octal digits. */
function unescapePath(text: string): string {
  return text.replaceAll(/\\0([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/**
 * All paths that it names, of either side, below the mount point `root` and as from there (`/a/b`; the root's is empty), read
 * as latin1. `undefined` when there is a line that is not understood: then it says nothing.
 */
export function changedPaths(output: Buffer, root: string): string[] | undefined {
  const prefix = Buffer.from(root).toString('latin1');
  const paths: string[] = [];
  for (const line of output.toString('latin1').split('\n')) {
    if (line === '') continue;
    const [kind = '', ...fields] = line.split('\t');
    if (!KINDS.has(kind)) return undefined;
    const count = kind === 'R' ? 2 : 1;
    if (fields.length < count) return undefined;
    for (const field of fields.slice(0, count)) {
      const path = pathWithin(unescapePath(field), prefix);
      if (path === undefined) return undefined;
      paths.push(path);
    }
  }
  return paths;
}

function pathWithin(path: string, prefix: string): string | undefined {
  if (!path.startsWith(`${prefix}/`)) return undefined;
  const within = path.slice(prefix.length);
  const attributes = within.indexOf(ATTRIBUTES);
  const own = attributes < 0 ? within : within.slice(0, attributes);
  return own === '/' ? '' : own;
}
