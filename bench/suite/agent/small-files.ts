/** Work with many small files: `ROOT/12/1234`, so many to a directory. */
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { type Arguments, numberOf, textOf } from './arguments.ts';
import type { Values } from './counted.ts';

interface Files {
  readonly root: string;
  readonly count: number;
  readonly bytes: number;
  readonly each: number;
}

function filesOf(args: Arguments): Files {
  return {
    root: textOf(args, 'root'),
    count: numberOf(args, 'count'),
    bytes: numberOf(args, 'bytes'),
    each: numberOf(args, 'each'),
  };
}

function pathOf({ root, each }: Files, index: number): string {
  return `${root}/${Math.floor(index / each)}/${index}`;
}

/** How many of something were done in a second. */
export function perSecond(count: number, work: () => void): Values {
  const started = performance.now();
  work();
  return { rate: (count * 1000) / (performance.now() - started) };
}

/** Makes the files and their directories, with contents that are not all the same. */
export function createFiles(args: Arguments): Values {
  const files = filesOf(args);
  const content = Buffer.alloc(files.bytes, 'of a small file ');
  return perSecond(files.count, () => {
    mkdirSync(files.root);
    for (let index = 0; index < files.count; index++) {
      if (index % files.each === 0) mkdirSync(`${files.root}/${index / files.each}`);
      content.write(String(index));
      const file = openSync(pathOf(files, index), 'wx');
      writeSync(file, content);
      closeSync(file);
    }
  });
}

/** Reads each to its end. */
export function readFiles(args: Arguments): Values {
  const files = filesOf(args);
  const buffer = Buffer.allocUnsafe(Math.max(files.bytes, 4096));
  return perSecond(files.count, () => {
    for (let index = 0; index < files.count; index++) {
      const file = openSync(pathOf(files, index), 'r');
      let total = 0;
      for (let got = 1; got > 0; total += got) got = readSync(file, buffer);
      closeSync(file);
      if (total !== files.bytes)
        throw new Error(`${pathOf(files, index)} has ${total} bytes, not ${files.bytes}`);
    }
  });
}

/** Asks for the size and the times of each. */
export function statFiles(args: Arguments): Values {
  const files = filesOf(args);
  return perSecond(files.count, () => {
    for (let index = 0; index < files.count; index++) lstatSync(pathOf(files, index));
  });
}

/** Lists all directories; the rate is that of their entries. */
export function listFiles(args: Arguments): Values {
  const files = filesOf(args);
  return perSecond(files.count, () => {
    let seen = 0;
    for (const name of readdirSync(files.root)) seen += readdirSync(`${files.root}/${name}`).length;
    if (seen !== files.count) throw new Error(`there are ${seen} files in ${files.root}, not ${files.count}`);
  });
}

/** Gives each another name in its directory. */
export function renameFiles(args: Arguments): Values {
  const files = filesOf(args);
  return perSecond(files.count, () => {
    for (let index = 0; index < files.count; index++)
      renameSync(pathOf(files, index), `${pathOf(files, index)}-renamed`);
  });
}

/** Removes each; the directories stay. */
export function removeFiles(args: Arguments): Values {
  const files = filesOf(args);
  return perSecond(files.count, () => {
    for (let index = 0; index < files.count; index++) unlinkSync(pathOf(files, index));
  });
}

/** Looks at every file of a tree and at every directory, in the order of directories: what `git status` does of a work tree that did not change. */
export function walkTree(args: Arguments): Values {
  const started = performance.now();
  let files = 0;
  const pending = [textOf(args, 'root')];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else {
        lstatSync(path);
        files++;
      }
    }
  }
  return { ms: performance.now() - started, files };
}
