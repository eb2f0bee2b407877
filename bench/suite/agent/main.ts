/**
 * The program in the container: takes one call a line on standard input, `{"call": "walk", "args": {…}}`, and answers each with
 * a line on standard output, `{"values": {…}, "counted": {…}}` or `{"error": "…"}`. It ends with its input. It may use nothing
 * but Node and the files beside it.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread } from 'node:worker_threads';
import { type Arguments, isRecord } from './arguments.ts';
import { counted, type Values } from './counted.ts';
import { beOneOfThem, parallel } from './parallel.ts';
import { fio, fragments, sqlite, untar } from './programs.ts';
import {
  changeMode,
  changeOwner,
  makeFile,
  overwrite,
  readWhole,
  removeFile,
  statRoot,
  writeStart,
} from './single-file.ts';
import {
  createFiles,
  listFiles,
  readFiles,
  removeFiles,
  renameFiles,
  statFiles,
  walkTree,
} from './small-files.ts';

const CALLS: Readonly<Record<string, (args: Arguments) => Values | Promise<Values>>> = {
  nothing: () => ({}),
  'stat-root': statRoot,
  'create-files': createFiles,
  'read-files': readFiles,
  'stat-files': statFiles,
  'list-files': listFiles,
  'rename-files': renameFiles,
  'remove-files': removeFiles,
  walk: walkTree,
  'write-start': writeStart,
  'change-mode': changeMode,
  'change-owner': changeOwner,
  'make-file': makeFile,
  'read-whole': readWhole,
  overwrite,
  remove: removeFile,
  fio,
  untar,
  sqlite,
  fragments,
  parallel,
};

async function answer(line: string): Promise<unknown> {
  try {
    const request: unknown = JSON.parse(line);
    const { call, args } = isRecord(request) ? request : {};
    const work = typeof call === 'string' ? CALLS[call] : undefined;
    if (work === undefined) throw new Error(`nobody can do ${JSON.stringify(call)}`);
    return await counted(() => work(isRecord(args) ? args : {}));
  } catch (error) {
    return { error: (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, ' ') };
  }
}

if (isMainThread) {
  writeSync(1, '{"ready":true}\n');
  for await (const line of createInterface({ input: process.stdin })) {
    writeSync(1, `${JSON.stringify(await answer(line))}\n`);
  }
} else beOneOfThem();
