/** What a filesystem itself cannot do, so that no driver on it can: a limit, and no failure of the driver's. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { CAPABILITY } from '../../drivers/conformance/trees.ts';
import { hasErrno } from '../../errors.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { withRoot } from '../../linux/open-directory.ts';
import { ftruncate, seekHole } from '../../linux/space.ts';
import { fsetxattr } from '../../linux/xattr.ts';

/** Something that it lacks. */
export interface Lacking {
  /** One line for people. */
  readonly reason: string;
  /** The names of the checks that ask for nothing else; the others do without it. */
  readonly checks?: RegExp;
  /** How the names of extended attributes begin that it does not take. */
  readonly attributes?: string;
}

const SIZE = 64 * 1024 * 1024;

/** Extended attributes that images have, and what of an image is lost without them. */
const ATTRIBUTES = [
  ['security.', 'file capabilities of images are left out, with a warning'],
  ['trusted.', 'those of images are left out, with a warning'],
  ['user.', 'those of images are left out, with a warning'],
] as const;

/** Looks by doing, in a file that is gone again. */
export function lackingAbilities(path: string): Lacking[] {
  const file = `${path}/.probe`;
  const fd = openSync(file, 'w+');
  try {
    const holes = showsHoles(fd) ? [] : [HOLES];
    const refused = ATTRIBUTES.filter(([prefix]) => !takesAttribute(fd, prefix));
    return [
      ...holes,
      ...(leavesTimes(path) ? [] : [TIMES]),
      ...refused.map(([attributes, loss]) => ({
        reason: `the filesystem takes no extended attributes of ${attributes}*: ${loss}`,
        attributes,
      })),
    ];
  } finally {
    closeSync(fd);
    rmSync(file, { force: true });
  }
}

const HOLES: Lacking = {
  reason: 'the filesystem does not say where files have holes: copies of them are full',
  checks: /^sparse files/,
};

const TIMES: Lacking = {
  reason: 'the filesystem writes the time of access whoever reads: looking at a layer writes to it',
  checks: /^reading what a layer changed writes no time of access/,
};

/** Whether a reader that asks for it leaves the time as it is: what another machine or a program serves, that reads itself. */
function leavesTimes(path: string): boolean {
  const folder = mkdtempSync(`${path}/.probe-`);
  try {
    utimesSync(folder, 1000, 2000);
    withRoot(folder, namesIn);
    return statSync(folder).atimeMs === 1_000_000;
  } finally {
    rmdirSync(folder);
  }
}

function takesAttribute(fd: number, prefix: string): boolean {
  const [name, value] = prefix === 'security.' ? ['capability', CAPABILITY] : ['probe', Buffer.from('y')];
  try {
    fsetxattr(fd, `${prefix}${name}`, value);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EOPNOTSUPP')) return false;
    throw error;
  }
}

function showsHoles(fd: number): boolean {
  ftruncate(fd, SIZE);
  writeSync(fd, 'at the end', SIZE - 10);
  return (seekHole(fd, 0) ?? SIZE) < SIZE;
}
