/**
 * What docker-storage-benchmark measures: so many at once append a line to every file of a kind, or read every one, the same
 * files all of them. Each is a thread of its own here; they begin together.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { type Arguments, isRecord, numberOf, textOf } from './arguments.ts';
import type { Values } from './counted.ts';

/** Runs `work`, `append` or `read`, over the files of `root` so many times at once; `tree` walks down to the leaves. */
export async function parallel(args: Arguments): Promise<Values> {
  const request = { work: textOf(args, 'work'), root: textOf(args, 'root'), layout: textOf(args, 'layout') };
  const count = numberOf(args, 'parallel');
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers: Worker[] = [];
  for (let index = 0; index < count; index++) {
    // The program's first file, which sees that it is a thread.
    const worker = new Worker(process.argv[1] ?? '', { workerData: { gate, request } });
    workers.push(worker);
    await message(worker);
  }
  const done = workers.map((worker) => message(worker).then(filesOf));
  const started = performance.now();
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const files = await Promise.all(done);
  const ms = performance.now() - started;
  await Promise.all(workers.map((worker) => worker.terminate()));
  const total = files.reduce((sum, one) => sum + one, 0);
  return { rate: (total * 1000) / ms, ms };
}

function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

function filesOf(told: unknown): number {
  if (isRecord(told) && typeof told.files === 'number') return told.files;
  throw new Error('a thread ended without a number of files');
}

/** One of them: says that it is ready, waits for the beginning, works, and says how many files it had. */
export function beOneOfThem(): void {
  if (!isRecord(workerData) || !isRecord(workerData.request) || !(workerData.gate instanceof Int32Array))
    throw new Error('a thread was started without its work');
  const { gate, request } = workerData;
  const root = textOf(request, 'root');
  const work = textOf(request, 'work') === 'append' ? append : read;
  const run = textOf(request, 'layout') === 'tree' ? overTree : overFolder;
  parentPort?.postMessage('ready');
  Atomics.wait(gate, 0, 0);
  parentPort?.postMessage({ files: run(root, work, textOf(request, 'work') === 'read') });
}

function append(path: string): void {
  appendFileSync(path, 'ohai\n');
}

/** A piece at a time: a hundred at once have no room for whole files. */
const buffer = Buffer.allocUnsafeSlow(1024 * 1024);

function read(path: string): void {
  const file = openSync(path, 'r');
  while (readSync(file, buffer) > 0);
  closeSync(file);
}

function overFolder(root: string, work: (path: string) => void): number {
  const names = readdirSync(root);
  for (const name of names) work(`${root}/${name}`);
  return names.length;
}

/** Down a binary tree to the one file of each leaf. Who reads has the kernel resolve the path of each directory as well. */
function overTree(folder: string, work: (path: string) => void, resolves: boolean): number {
  if (resolves) realpathSync.native(folder);
  const leaf = `${folder}/oh-hi`;
  if (existsSync(leaf)) {
    if (resolves) realpathSync.native(leaf);
    work(leaf);
    return 1;
  }
  return overTree(`${folder}/0`, work, resolves) + overTree(`${folder}/1`, work, resolves);
}
