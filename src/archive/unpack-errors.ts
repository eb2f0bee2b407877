import { type ErrorCode, TsengineError } from '../errors.ts';
import { SyscallError } from '../linux/errno.ts';

/** An error in a form that survives the way between two threads, which keeps no classes. */
export type ErrorMessage =
  | {
      readonly kind: 'tsengine';
      readonly code: ErrorCode;
      readonly message: string;
      readonly exitCode: number | undefined;
      readonly cause: ErrorMessage | undefined;
    }
  | {
      readonly kind: 'syscall';
      readonly syscall: string;
      readonly errno: number | string;
      readonly path: string | Uint8Array | undefined;
      readonly dest: string | Uint8Array | undefined;
    }
  | { readonly kind: 'other'; readonly message: string; readonly stack: string | undefined };

/** Takes an error apart. */
export function errorToMessage(error: unknown): ErrorMessage {
  if (error instanceof TsengineError) {
    const { code, message, exitCode } = error;
    const cause = error.cause === undefined ? undefined : errorToMessage(error.cause);
    return { kind: 'tsengine', code, message, exitCode, cause };
  }
  if (error instanceof SyscallError) {
    const { syscall, code, errno, path, dest } = error;
    return { kind: 'syscall', syscall, errno: code.startsWith('E') ? code : errno, path, dest };
  }
  if (error instanceof Error) return { kind: 'other', message: error.message, stack: error.stack };
  return { kind: 'other', message: String(error), stack: undefined };
}

/** Puts an error together again: of the same class, with code, message and cause. */
export function errorFromMessage(message: ErrorMessage): Error {
  switch (message.kind) {
    case 'tsengine': {
      const cause = message.cause === undefined ? undefined : errorFromMessage(message.cause);
      const exitCode = message.exitCode === undefined ? {} : { exitCode: message.exitCode };
      return new TsengineError(message.code, message.message, { cause, ...exitCode });
    }
    case 'syscall':
      return new SyscallError(message.syscall, message.errno, {
        path: bytes(message.path),
        dest: bytes(message.dest),
      });
    case 'other': {
      const error = new Error(message.message);
      if (message.stack !== undefined) error.stack = message.stack;
      return error;
    }
  }
}

/** Buffers arrive as plain byte arrays. */
function bytes(path: string | Uint8Array | undefined): string | Buffer | undefined {
  return path === undefined || typeof path === 'string' ? path : Buffer.from(path);
}
