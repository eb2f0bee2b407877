/** What nearly every check does: making layers, filling them, and looking at them. */
import assert from 'node:assert/strict';
import { dirname, resolve } from 'node:path';
import { findMountAt, type MountInfo, readMountInfo } from '../../linux/mountinfo.ts';
import { printablePath } from '../../linux/path.ts';
import type { Change, GraphDriver } from '../driver.ts';
import { type DescribeOptions, describeTree } from './describe-tree.ts';
import { newId, type Subject } from './suite.ts';
import { type Member, tarOf } from './tar.ts';

/** Makes an image layer on `parent`, lets `fill` work in it through `get`, and gives its id. */
export async function imageLayer(
  driver: GraphDriver,
  parent: string | undefined,
  fill: (root: string) => void,
): Promise<string> {
  const id = newId();
  await driver.create(id, parent);
  await inside(driver, id, fill);
  return id;
}

/** Makes a container layer with its init layer on `parent`, as the engine does, and gives its id. */
export async function containerLayer(driver: GraphDriver, parent: string | undefined): Promise<string> {
  const id = newId();
  await driver.createReadWrite(`${id}-init`, parent);
  await driver.createReadWrite(id, `${id}-init`);
  return id;
}

/** Runs something in a mounted layer. */
export async function inside<T>(
  driver: GraphDriver,
  id: string,
  run: (root: string) => T | Promise<T>,
): Promise<T> {
  await using mounted = await driver.get(id);
  return await run(mounted.path);
}

/** A layer's tree as text. */
export async function described(
  driver: GraphDriver,
  id: string,
  options?: DescribeOptions,
): Promise<string[]> {
  return await inside(driver, id, (root) => describeTree(root, options));
}

/** The bytes of a stream. */
export async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** A stream of these bytes, in pieces of an odd size. */
export async function* streamOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 10_007) yield bytes.subarray(at, at + 10_007);
}

/** Makes a layer on `parent` from a tar. */
export async function applied(
  { driver }: Pick<Subject, 'driver'>,
  parent: string | undefined,
  tar: Buffer,
): Promise<string> {
  const id = newId();
  await driver.create(id, parent);
  await driver.applyDiff(id, parent, streamOf(tar));
  return id;
}

/** Changes as `added /path`, in the order given. */
export function changeLines(changes: readonly Change[]): string[] {
  return changes.map(({ kind, path }) => `${kind} ${printablePath(path)}`);
}

/** Checks that a promise fails with a `TsengineError` of this code and one line. */
export async function assertFails(promise: Promise<unknown>, code: string, words?: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof Error && 'code' in error, `not a TsengineError: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.doesNotMatch(error.message, /\n/);
    if (words !== undefined) assert.match(error.message, words);
    return true;
  });
}

/** Makes `count` layers on top of each other, each from a tar of its own, and gives their ids from the bottom. */
export async function chain(
  driver: GraphDriver,
  count: number,
  members: (index: number) => readonly Member[],
): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const id = newId();
    await driver.create(id, ids.at(-1));
    await driver.applyDiff(id, ids.at(-1), streamOf(tarOf(members(index))));
    ids.push(id);
  }
  return ids;
}

/** What is mounted at the path that `get` gave, or at the folder it is in. The path may be relative, as a data root that is named so. */
export function mountOf(path: string): MountInfo | undefined {
  const absolute = resolve(path);
  const mounts = readMountInfo();
  return findMountAt(absolute, mounts) ?? findMountAt(dirname(absolute), mounts);
}

/**
 * Whether something is mounted at the path that `get` gave, or at the folder it is in, as the kernel lists it: a subvolume has a
 * device of its own without any mount.
 */
export function isMounted(path: string): boolean {
  return mountOf(path) !== undefined;
}
