/**
 * The C library through koffi. Functions are declared where they are used and bound at their first call, so that a
 * command which needs no foreign call never loads koffi (8 to 14 ms).
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { SyscallError, type SyscallSubject } from './errno.ts';
import { enter } from './fault.ts';

/** What may be passed to a C function: integers, and buffers as pointers (`null` is NULL). */
export type Argument = number | bigint | Buffer | null;
type KoffiFunction = ReturnType<Koffi.LibraryHandle['func']>;
type Native = (...args: Argument[]) => number | bigint;

let koffi: typeof Koffi | undefined;
let library: Koffi.LibraryHandle | undefined;

/**
 * koffi itself, loaded at the first call. Its addon alone takes 1 ms, its JavaScript around that 8: it looks for the
 * addon, compares versions and adds names that are deprecated. So we take the addon where npm puts it, as long as it is
 * there and ours to take; koffi's own way stays for every other case.
 */
export function loadKoffi(): typeof Koffi {
  koffi ??= loadAddon(createRequire(import.meta.url)) ?? createRequire(import.meta.url)('koffi');
  if (koffi === undefined) throw new Error('koffi did not load');
  return koffi;
}

function loadAddon(require: NodeJS.Require): typeof Koffi | undefined {
  try {
    return require(`@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`);
  } catch {
    return undefined;
  }
}

/** Whether this process has called foreign code. */
export function isKoffiLoaded(): boolean {
  return koffi !== undefined;
}

function libc(): Koffi.LibraryHandle {
  library ??= loadKoffi().load('libc.so.6');
  return library;
}

/** A C function bound to a system call's name. All integer results; -1 becomes a `SyscallError`. */
export interface Call {
  /** Calls at once, on this thread. */
  (subject: SyscallSubject | undefined, ...args: Argument[]): number;
  /** What errors and faults call it. */
  readonly syscall: string;
  /** The same, for a failure that is an answer: gives the negative errno instead of throwing, which takes 20 times as long. */
  attempt(subject: SyscallSubject | undefined, ...args: Argument[]): number;
  /** Calls on a thread of the pool, for calls that may sleep long. */
  async(subject: SyscallSubject | undefined, ...args: Argument[]): Promise<number>;
}

/**
 * Declares the C function `symbol` with koffi's type names. `name` is what errors and faults call it, where it differs.
 * The function is looked up at its first call.
 */
export function declare(symbol: string, result: string, parameters: readonly string[], name = symbol): Call {
  let bound: KoffiFunction | undefined;
  const bind = (): KoffiFunction => {
    bound ??= libc().func(symbol, result, [...parameters]);
    return bound;
  };
  const attempt = (subject: SyscallSubject | undefined, ...args: Argument[]): number => {
    enter(name, subject);
    const native: Native = bind();
    const value = Number(native(...args));
    return value < 0 ? -loadKoffi().errno() : value;
  };
  const call = (subject: SyscallSubject | undefined, ...args: Argument[]): number => {
    const value = attempt(subject, ...args);
    if (value < 0) throw new SyscallError(name, -value, subject);
    return value;
  };
  const later = (subject: SyscallSubject | undefined, ...args: Argument[]): Promise<number> => {
    enter(name, subject);
    const native = bind();
    return new Promise((resolve, reject) => {
      native.async(...args, (error: unknown, value: number | bigint) => {
        if (error !== null && error !== undefined) reject(error);
        else if (Number(value) < 0) reject(new SyscallError(name, loadKoffi().errno(), subject));
        else resolve(Number(value));
      });
    });
  };
  return Object.assign(call, { syscall: name, attempt, async: later });
}

/**
 * Declares a system call that the C library has no wrapper for. `number` is the one of `asm-generic`, which x86-64
 * and arm64 share for everything since Linux 5.1 (424 and up).
 */
export function declareSyscall(number: number, name: string, parameters: readonly string[]): Call {
  const raw = declare('syscall', 'long', ['long', ...parameters], name);
  const call = (subject: SyscallSubject | undefined, ...args: Argument[]): number =>
    raw(subject, number, ...args);
  return Object.assign(call, {
    syscall: name,
    attempt: (subject: SyscallSubject | undefined, ...args: Argument[]) =>
      raw.attempt(subject, number, ...args),
    async: (subject: SyscallSubject | undefined, ...args: Argument[]) => raw.async(subject, number, ...args),
  });
}

/** One field of a C structure: its koffi type and the offset at which our code reads it. */
export type Field = readonly [name: string, type: string, offset: number];

/**
 * Checks once that the C layout of a structure on this machine is the one that our byte offsets assume, and gives its
 * size. Throws when it is not: reading a kernel structure at wrong offsets must never happen silently.
 */
export function checkedLayout(name: string, size: number, fields: readonly Field[]): number {
  const k = loadKoffi();
  const type = k.struct(Object.fromEntries(fields.map(([field, fieldType]) => [field, fieldType])));
  const actual = k.sizeof(type);
  if (actual !== size) throw new Error(`struct ${name} has ${actual} bytes here, ${size} expected`);
  for (const [field, , offset] of fields) {
    const at = k.offsetof(type, field);
    if (at !== offset) throw new Error(`struct ${name}.${field} is at ${at} here, ${offset} expected`);
  }
  return size;
}
