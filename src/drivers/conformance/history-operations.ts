/** What random histories are made of: operations that are drawn from a seed and a tree. */
import * as fs from 'node:fs';
import { utimensAt } from '../../linux/at.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { setAttribute } from './trees.ts';

/** Gives an integer from 0 on, below a number. */
export type Random = (below: number) => number;

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Something that is done to a tree. Chosen by looking at the plain folder, then done in both. */
export interface Operation {
  /** What it does, for people. */
  readonly text: string;
  /** Does it in the tree at `root`. */
  run(root: string): void;
}

interface Entry {
  readonly path: string;
  readonly stat: fs.Stats;
}

function entriesOf(root: string): Entry[] {
  return fs
    .readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => ({ path, stat: fs.lstatSync(`${root}/${path}`) }));
}

let clock = 0;

/** Times come from a counter, so that both sides get the same; every write gets a new one, as on a real clock. */
function timed(text: string, path: string, run: (path: string) => void): Operation {
  clock++;
  const time = { sec: 1_600_000_000 + clock, nsec: (clock * 7_654_321) % 1_000_000_000 };
  return at(`${text} ${path}`, path, (there) => {
    run(there);
    utimensAt(AT_FDCWD, there, time, time);
  });
}

function at(text: string, path: string, run: (path: string) => void): Operation {
  return { text, run: (root) => run(`${root}/${path}`) };
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** What differs by driver and filesystem. */
export interface Kind {
  /** Whether a copy-up parts the names of a file. */
  readonly linksBreak: boolean;
  /** How the names of extended attributes begin; `undefined` where there are none. */
  readonly attributes: string | undefined;
  /** Whether a directory of the layer, by its path, is one that is not to be renamed. */
  staysPut(path: string): boolean;
  /** Whether a free name of the layer, by its path, is one that nothing new is to get. */
  staysFree(path: string): boolean;
  /** Whether a free name of the layer, by its path, is one that nothing is to be renamed to. */
  isNoTarget(path: string): boolean;
}

/** The next operation on a tree like the one at `plain`; `undefined` when what was drawn does not fit it. */
export function drawOperation(random: Random, plain: string, kind: Kind): Operation | undefined {
  const entries = entriesOf(plain);
  const pick = (list: readonly Entry[]): Entry | undefined => list[random(Math.max(1, list.length))];
  const directories = entries.filter(({ stat }) => stat.isDirectory());
  const folder = random(3) === 0 ? '' : (pick(directories)?.path ?? '');
  const path = `${folder === '' ? '' : `${folder}/`}${NAMES[random(NAMES.length)]}`;
  const isFree = entries.every((entry) => entry.path !== path) && !kind.staysFree(path);
  const text = 'x'.repeat(random(2000)) + String(random(1000));
  // Where one name of a lower file is copied up without the others, only names themselves are comparable.
  const whole = entries.filter(({ stat }) => !kind.linksBreak || stat.nlink === 1 || stat.isDirectory());
  const file = pick(whole.filter(({ stat }) => stat.isFile()))?.path;
  const target = pick(whole.filter(({ stat }) => !stat.isSymbolicLink()))?.path;
  const victim = pick(entries);
  switch (random(14)) {
    case 0:
    case 1:
    case 2:
      return isFree ? timed('write', path, (there) => fs.writeFileSync(there, text)) : undefined;
    case 3:
      return isFree ? at(`mkdir ${path}`, path, (there) => fs.mkdirSync(there)) : undefined;
    case 4:
      return isFree ? timed('symlink', path, (there) => fs.symlinkSync(text.slice(-5), there)) : undefined;
    case 5:
      return file === undefined
        ? undefined
        : timed('append to', file, (there) => fs.appendFileSync(there, text));
    case 6: {
      const size = random(100);
      return file === undefined
        ? undefined
        : timed(`truncate to ${size}`, file, (there) => fs.truncateSync(there, size));
    }
    case 7: {
      const mode = 0o400 + random(0o400);
      return target === undefined
        ? undefined
        : at(`chmod ${mode.toString(8)} ${target}`, target, (there) => fs.chmodSync(there, mode));
    }
    case 8: {
      const [uid, gid] = [random(3), random(3)];
      return target === undefined
        ? undefined
        : at(`chown ${uid}:${gid} ${target}`, target, (there) => fs.lchownSync(there, uid, gid));
    }
    case 9: {
      const name = `${kind.attributes}${NAMES[path.length % 7]}`;
      return target === undefined || kind.attributes === undefined
        ? undefined
        : at(`setfattr ${name} ${target}`, target, (there) => setAttribute(there, name, text.slice(-3)));
    }
    case 10:
      return (
        victim && at(`rm -r ${victim.path}`, victim.path, (there) => fs.rmSync(there, { recursive: true }))
      );
    case 11:
      return file !== undefined && isFree && !isWithin(path, file)
        ? { text: `ln ${file} ${path}`, run: (root) => fs.linkSync(`${root}/${file}`, `${root}/${path}`) }
        : undefined;
    case 12:
      if (victim === undefined || !isFree || isWithin(path, victim.path)) return undefined;
      if (kind.isNoTarget(path) || (victim.stat.isDirectory() && kind.staysPut(victim.path)))
        return undefined;
      return rename(victim.path, path);
    default:
      return victim?.stat.isDirectory() === true ? makeAgain(victim.path) : undefined;
  }
}

function isWithin(path: string, folder: string): boolean {
  return `${path}/`.startsWith(`${folder}/`);
}

function rename(from: string, to: string): Operation {
  return { text: `mv ${from} ${to}`, run: (root) => fs.renameSync(`${root}/${from}`, `${root}/${to}`) };
}

function makeAgain(path: string): Operation {
  return at(`rm -r and mkdir ${path}`, path, (there) => {
    fs.rmSync(there, { recursive: true });
    fs.mkdirSync(there);
  });
}
