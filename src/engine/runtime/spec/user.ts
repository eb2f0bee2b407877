/**
 * Who a container's process runs as: `--user` and `--group-add` looked up in the image's own passwd and group files,
 * by the rules that Docker and runc share. Lines that do not parse give zeros and empty names there, and here.
 */
import { TsengineError } from '../../../errors.ts';

/** The numeric identity of a process, and its home directory. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Docker's order: the primary group, the user's groups as the group file has them, then those of `--group-add`. */
  readonly additionalGids: readonly number[];
  /** From the passwd file; `/` for a user that is not in it. runc and crun set `HOME` from the same file. */
  readonly home: string;
}

/** Highest ID that Docker accepts; Linux's own limit is 2^32-2. */
const MAX_ID = 0x7fffffff;

interface Passwd {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

function lines(file: Buffer | undefined): string[][] {
  if (file === undefined) return [];
  const all = file.toString('utf8').split('\n');
  return all.map((line) => line.trim().split(':')).filter((fields) => fields.length > 1 || fields[0] !== '');
}

/** A decimal number with an optional sign, or `undefined`: Go's `strconv.Atoi`. */
function integer(text: string): number | undefined {
  return /^[+-]?[0-9]+$/.test(text) ? Number(text) : undefined;
}

function parsePasswd(file: Buffer | undefined): Passwd[] {
  return lines(file).map(([name = '', , uid = '', gid = '', , home = '']) => ({
    name,
    uid: integer(uid) ?? 0,
    gid: integer(gid) ?? 0,
    home,
  }));
}

function parseGroup(file: Buffer | undefined): Group[] {
  return lines(file).map(([name = '', , gid = '', members = '']) => ({
    name,
    gid: integer(gid) ?? 0,
    members: members === '' ? [] : members.split(','),
  }));
}

function inRange(id: number): number {
  if (id < 0 || id > MAX_ID) {
    throw new TsengineError('InvalidParameter', `uids and gids must be in range 0-${MAX_ID}`);
  }
  return id;
}

function findUser(name: string, users: readonly Passwd[]): Passwd {
  const wanted = name === '' ? 0 : integer(name);
  const found = users.find((user) => (wanted === undefined ? user.name === name : user.uid === wanted));
  if (found !== undefined) return found;
  if (wanted !== undefined) return { name: '', uid: inRange(wanted), gid: 0, home: '' };
  throw new TsengineError(
    'InvalidParameter',
    `unable to find user ${name}: no matching entries in passwd file`,
  );
}

function findGroup(name: string, groups: readonly Group[]): number {
  const wanted = integer(name);
  const found = groups.find((group) => (wanted === undefined ? group.name === name : group.gid === wanted));
  if (found !== undefined) return found.gid;
  if (wanted !== undefined) return inRange(wanted);
  throw new TsengineError(
    'InvalidParameter',
    `unable to find group ${name}: no matching entries in group file`,
  );
}

function additionalGroup(name: string, groups: readonly Group[]): number {
  const found = groups.find((group) => group.name === name || String(group.gid) === name);
  if (found !== undefined) return found.gid;
  const wanted = integer(name);
  if (wanted !== undefined) return inRange(wanted);
  throw new TsengineError(
    'InvalidParameter',
    `Unable to find group ${name}: no matching entries in group file`,
  );
}

/**
 * Resolves `--user` (`NAME|UID[:GROUP|GID]`, empty for root) and `--group-add` against the contents of the
 * container's `/etc/passwd` and `/etc/group` (`undefined` where there is none). The user's further groups count only
 * when no group was named. Throws `InvalidParameter` in Docker's words for a name that is not there and for a number
 * out of range; a number that is in no file is taken as it is.
 */
export function resolveUser(
  spec: string,
  passwd: Buffer | undefined,
  group: Buffer | undefined,
  groupAdd: readonly string[] = [],
): ResolvedUser {
  const [userName = '', groupName = ''] = spec.split(':');
  const user = findUser(userName, parsePasswd(passwd));
  const groups = parseGroup(group);
  const gid = groupName === '' ? user.gid : findGroup(groupName, groups);
  const memberOf =
    groupName === '' && user.name !== '' ? groups.filter((one) => one.members.includes(user.name)) : [];
  const added = new Set(groupAdd.map((name) => additionalGroup(name, groups)));
  return {
    uid: user.uid,
    gid,
    additionalGids: [gid, ...memberOf.map((one) => one.gid), ...added],
    home: user.home === '' ? '/' : user.home,
  };
}
