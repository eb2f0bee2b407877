/** Programs that work in the container: fio, sqlite3, tar, filefrag. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { type Arguments, isRecord, isSet, numberOf, textOf } from './arguments.ts';
import type { Values } from './counted.ts';

/** Runs a program to its end and gives its standard output. Fails with the last that it said. */
function output(program: string, args: readonly string[], input = ''): string {
  const ended = spawnSync(program, args, { encoding: 'utf8', input, maxBuffer: 64 * 1024 * 1024 });
  if (ended.error !== undefined) throw new Error(`${program}: ${ended.error.message}`);
  if (ended.status === 0) return ended.stdout;
  const said = `${ended.stdout}\n${ended.stderr}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const why = said.find((line) => /err(or)?[ =:]/i.test(line)) ?? said.at(-1) ?? 'it said nothing';
  throw new Error(`${program} ended with ${ended.signal ?? ended.status}: ${why.slice(0, 300)}`);
}

/**
 * One job of fio on one file: `mode` as its `rw`, `block` bytes at a time, all of `size`, or as much as there is time for. It works
 * as one process with plain system calls, and leaves the page cache as it finds it.
 */
export function fio(args: Arguments): Values {
  const mode = textOf(args, 'mode');
  const words = [
    '--name=bench',
    '--thread',
    '--ioengine=psync',
    `--filename=${textOf(args, 'path')}`,
    `--rw=${mode}`,
    `--bs=${numberOf(args, 'block')}`,
    `--size=${numberOf(args, 'size')}`,
    `--runtime=${Math.round(numberOf(args, 'seconds') * 1000)}ms`,
    `--direct=${isSet(args, 'direct') ? 1 : 0}`,
    `--end_fsync=${isSet(args, 'fsync') ? 1 : 0}`,
    ...(isSet(args, 'fsyncEach') ? ['--fsync=1'] : []),
    `--loops=${numberOf(args, 'loops')}`,
    '--invalidate=0',
    '--fallocate=none',
    '--randrepeat=1',
    '--norandommap=0',
    // Where a program has no rights to more, fio would warn.
    '--output-format=json',
    ...(/read/.test(mode) ? ['--readonly', '--allow_file_create=0'] : []),
  ];
  const text = output('fio', words);
  // It may say something before its JSON.
  const parsed: unknown = JSON.parse(text.slice(text.indexOf('{')));
  return valuesOf(parsed, /read/.test(mode) ? 'read' : 'write');
}

function valuesOf(parsed: unknown, side: 'read' | 'write'): Values {
  const [job] = isRecord(parsed) && Array.isArray(parsed.jobs) ? parsed.jobs : [];
  const counts = isRecord(job) ? job[side] : undefined;
  if (!isRecord(job) || !isRecord(counts)) throw new Error('fio gave no figures');
  const [bytes, operations, ms] = ['io_bytes', 'total_ios', 'runtime'].map((name) => numberOf(counts, name));
  if (bytes === undefined || operations === undefined || ms === undefined || ms === 0)
    throw new Error('fio was done in less than a millisecond: there is nothing to divide by');
  return {
    rate: (bytes * 1000) / ms,
    operations: (operations * 1000) / ms,
    switches: numberOf(job, 'ctx'),
  };
}

/** Unpacks an archive of the tools volume into a new directory. */
export function untar(args: Arguments): Values {
  const to = textOf(args, 'to');
  mkdirSync(to);
  const started = performance.now();
  output('tar', ['-xf', textOf(args, 'archive'), '-C', to, '--no-same-owner']);
  return { ms: performance.now() - started };
}

/** Transactions of one insert each into a new database, each of them on disk when it ends, as SQLite has it by default. */
export function sqlite(args: Arguments): Values {
  const [path, count] = [textOf(args, 'path'), numberOf(args, 'count')];
  rmSync(path, { force: true });
  output('sqlite3', [path], 'CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);');
  const script = Array.from(
    { length: count },
    (_, index) => `INSERT INTO t VALUES (${index}, '${'x'.repeat(100)}');\n`,
  ).join('');
  const started = performance.now();
  output('sqlite3', ['-bail', path], script);
  const ms = performance.now() - started;
  const rows = Number(output('sqlite3', [path], 'SELECT count(*) FROM t;'));
  if (rows !== count) throw new Error(`the database has ${rows} rows, not ${count}`);
  return { rate: (count * 1000) / ms };
}

/** In how many pieces a file lies on its disk, as the filesystem tells it. Fails where it does not tell. */
export function fragments(args: Arguments): Values {
  const text = output('filefrag', [textOf(args, 'path')]);
  const found = /: (\d+) extents? found/.exec(text)?.[1];
  if (found === undefined) throw new Error(`filefrag said: ${text.trim().slice(0, 200)}`);
  return { count: Number(found) };
}
