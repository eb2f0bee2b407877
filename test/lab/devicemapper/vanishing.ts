/**
 * A device that goes while it is asked something: run in a machine of the lab, `node - ROUNDS`, with a disk at /dev/lab/disk1.
 * Each round has an ext4 on a device unmounted, and the device removed as soon as nobody has it open, which another thread has
 * for some more microseconds; meanwhile this one does with it what the driver does with devices. Prints how often it was
 * there and how often gone; whatever else the kernel answers is thrown.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { blockDeviceSize } from '../../../src/linux/block-device.ts';
import {
  createDevice,
  deviceStatus,
  keepDevice,
  removeDevice,
  resumeDevice,
  suspendDevice,
  targetOf,
  unlessGone,
} from '../../../src/linux/device-mapper.ts';
import { nodeOf } from '../../../src/linux/device-node.ts';
import { MNT_DETACH, mount, unmount } from '../../../src/linux/mount.ts';

const NAME = 'vanishing';
const MOUNT = '/tmp/vanishing';
const DISK = realpathSync('/dev/lab/disk1');

/** Each gives whether the device was there. */
const CALLS: readonly (() => boolean)[] = [
  () => {
    const isStopped = deviceStatus(NAME)?.isLive === true && unlessGone(NAME, () => suspendDevice(NAME));
    return isStopped && unlessGone(NAME, () => resumeDevice(NAME));
  },
  () => keepDevice(NAME) && deviceStatus(NAME) !== undefined,
  () => targetOf(NAME, 'status') !== undefined,
  () => !removeDevice(NAME, true),
];

/** Opens a path, says so, and closes it after so many microseconds. */
const HOLDER = `
const { parentPort } = require('node:worker_threads');
const { closeSync, openSync } = require('node:fs');
parentPort.on('message', ({ path, microseconds }) => {
  const fd = openSync(path);
  parentPort.postMessage('open');
  const end = process.hrtime.bigint() + BigInt(microseconds) * 1000n;
  while (process.hrtime.bigint() < end);
  closeSync(fd);
  parentPort.postMessage('closed');
});`;

function make(): string {
  const { rdev } = statSync(DISK);
  const sectors = blockDeviceSize(DISK) / 512;
  const parameters = `${rdev >> 8}:${rdev & 0xff} 0`;
  const { major, minor } = createDevice(NAME, { type: 'linear', sectors, parameters });
  return nodeOf(NAME, major, minor);
}

async function isThereMeanwhile(call: () => boolean, holder: Worker, round: number): Promise<boolean> {
  const path = make();
  mount({ source: path, target: MOUNT, type: 'ext4' });
  const told = (word: string) =>
    new Promise<void>((resolve) => holder.on('message', (said) => said === word && resolve()));
  const [opened, closed] = [told('open'), told('closed')];
  holder.postMessage({ path, microseconds: Math.round(500 * 1.25 ** (round % 20)) });
  await opened;
  unmount(MOUNT, MNT_DETACH);
  removeDevice(NAME, true);
  const end = process.hrtime.bigint() + BigInt(round % 7) * 200_000n;
  while (process.hrtime.bigint() < end);
  const isThere = call();
  await closed;
  holder.removeAllListeners('message');
  while (!removeDevice(NAME, true)) await sleep(5);
  return isThere;
}

async function main(rounds: number): Promise<void> {
  execFileSync('mkfs.ext4', ['-q', DISK]);
  mkdirSync(MOUNT);
  const holder = new Worker(HOLDER, { eval: true });
  const seen = { there: 0, gone: 0 };
  for (let round = 0; round < rounds; round++)
    for (const call of CALLS) seen[(await isThereMeanwhile(call, holder, round)) ? 'there' : 'gone']++;
  await holder.terminate();
  process.stdout.write(`there ${seen.there}, gone ${seen.gone}\n`);
}

void main(Number(process.argv.at(-1)));
