/**
 * Waiting for udev, as libdevmapper does it: a call that makes the kernel announce a device carries a number, and udev's rules
 * run `dmsetup udevcomplete NUMBER` when they are through, which counts a semaphore of that number down. Source: libdevmapper.h
 * (`DM_COOKIE_MAGIC`, `DM_UDEV_*`), semop(2).
 *
 * A kill leaves a semaphore, as it does with libdevmapper: `dmsetup udevcomplete_all` removes those.
 */
import { existsSync, statSync } from 'node:fs';
import { hasErrno } from '../errors.ts';
import { declare } from './libc.ts';
import { randomBytes } from './random.ts';

const MAGIC = 0x0d4d;
/**
 * Flags for udev's rules, in the upper half: no other subsystem's rules, no links by what is on the disk, no other rules; there
 * is no fallback when udev fails; and this is an announcement of the device itself. So nobody looks into our devices, and
 * none is open when it is to be removed.
 */
const FLAGS = 0x02 | 0x04 | 0x08 | 0x20 | 0x40;
const IPC_CREAT = 0o1000;
const IPC_EXCL = 0o2000;
const IPC_RMID = 0;
const SETVAL = 16;
/** How long udev may take. One that is stopped would else hold us for ever. */
const LONGEST_NANOSECONDS = 10_000_000_000n;

const semgetCall = declare('semget', 'int', ['int', 'int', 'int']);
const semctlCall = declare('semctl', 'int', ['int', 'int', 'int', 'int']);
const semtimedopCall = declare('semtimedop', 'int', ['int', 'void *', 'size_t', 'void *']);

/** Of dmsetup's package: the rule that confirms a number. Without it nobody would. */
const RULE = '95-dm-notify.rules';
/** Where udev reads rules, the folder first whose file counts where several have one of a name. */
const RULE_FOLDERS = ['/etc', '/run', '/usr/local/lib', '/usr/lib', '/lib'].map(
  (folder) => `${folder}/udev/rules.d`,
);

let hasFailed = false;

/** Whether udev announces devices here, with the rules that answer, and has answered so far. */
export function isUdevRunning(): boolean {
  return !hasFailed && existsSync('/run/udev/control') && hasRule();
}

function hasRule(): boolean {
  for (const folder of RULE_FOLDERS) {
    const found = statSync(`${folder}/${RULE}`, { throwIfNoEntry: false });
    // An empty file, or a link to /dev/null, turns the rule off.
    if (found !== undefined) return found.isFile() && found.size > 0;
  }
  return false;
}

/** A number that udev is to confirm. */
export interface UdevCookie extends Disposable {
  /** What the call carries. */
  readonly value: number;
  /** Waits until udev has confirmed it, or for ten seconds: then udev is left alone from here on. */
  wait(): void;
}

/** Makes a cookie; `undefined` where there is no udev. To be disposed of. */
export function udevCookie(): UdevCookie | undefined {
  if (!isUdevRunning()) return undefined;
  for (;;) {
    const base = randomBytes(2).readUInt16LE();
    if (base === 0) continue;
    let id: number;
    try {
      id = semgetCall(undefined, (MAGIC << 16) | base | 0, 1, IPC_CREAT | IPC_EXCL | 0o600);
    } catch (error) {
      if (hasErrno(error, 'EEXIST')) continue;
      throw error;
    }
    semctlCall(undefined, id, 0, SETVAL, 1);
    return {
      value: ((FLAGS << 16) | base) >>> 0,
      wait: () => waitForZero(id),
      [Symbol.dispose]: () => {
        semctlCall(undefined, id, 0, IPC_RMID, 0);
      },
    };
  }
}

function waitForZero(id: number): void {
  // `struct sembuf` with an operation of 0, and `struct timespec`.
  const timeout = Buffer.alloc(16);
  const end = process.hrtime.bigint() + LONGEST_NANOSECONDS;
  for (;;) {
    const rest = end - process.hrtime.bigint();
    const left = rest > 0n ? rest : 0n;
    timeout.writeBigInt64LE(left / 1_000_000_000n, 0);
    timeout.writeBigInt64LE(left % 1_000_000_000n, 8);
    try {
      semtimedopCall(undefined, id, Buffer.alloc(6), 1, timeout);
      return;
    } catch (error) {
      // A signal came, whoever it was for.
      if (hasErrno(error, 'EINTR')) continue;
      if (!hasErrno(error, 'EAGAIN', 'EIDRM')) throw error;
      hasFailed = true;
      return;
    }
  }
}
