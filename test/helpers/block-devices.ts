/** Block devices of tests: loop devices on new files, and what is written on them. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { attachLoop, type LoopDevice } from '../../src/linux/loop.ts';
import type { TestStore } from './stores.ts';

const MIB = 1024 * 1024;

/** Runs a program that must succeed, and gives what it says. */
export const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' });

/** A loop device on a new file of the store. It detaches itself, whatever becomes of the test. */
export function device(
  store: TestStore,
  name: string,
  size = 128 * MIB,
): LoopDevice & { readonly file: string } {
  const file = `${store.dataRoot}/${name}`;
  writeFileSync(file, '');
  truncateSync(file, size);
  return { ...attachLoop(file), file };
}

/** Writes a partition table of two partitions of 32 MiB. */
export function partitioned(path: string): string {
  const table = Buffer.alloc(512);
  const sectors = (32 * MIB) / 512;
  for (const [entry, start] of [
    [446, 2048],
    [462, 2048 + sectors],
  ] as const) {
    table[entry + 4] = 0x83;
    table.writeUInt32LE(start, entry + 8);
    table.writeUInt32LE(sectors, entry + 12);
  }
  table.writeUInt16LE(0xaa55, 510);
  const fd = openSync(path, 'r+');
  closeSync(writeAt(fd, table));
  return path;
}

/** Writes at the beginning, and gives the descriptor. */
export function writeAt(fd: number, data: Buffer): number {
  writeFileSync(fd, data);
  return fd;
}
