/**
 * Unix sockets of type SOCK_SEQPACKET, which Node's `net` does not know. conmon's attach socket is one.
 * Source: unix(7), socket(2).
 */
import { SyscallError } from './errno.ts';
import { declare } from './libc.ts';

const socketCall = declare('socket', 'int', ['int', 'int', 'int']);
const connectCall = declare('connect', 'int', ['int', 'void *', 'uint']);
const recvCall = declare('recv', 'long', ['int', 'void *', 'size_t', 'int']);
const sendCall = declare('send', 'long', ['int', 'void *', 'size_t', 'int']);
const shutdownCall = declare('shutdown', 'int', ['int', 'int']);
const closeCall = declare('close', 'int', ['int']);

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const SHUT_RDWR = 2;
/** Bytes of `sun_path`, with its terminating NUL. */
const SUN_PATH = 108;

/** A connected SOCK_SEQPACKET socket: each message arrives whole. */
export interface PacketSocket {
  /** The next message as a view of `buffer`, valid until the next call; `undefined` when the peer has closed. Cut to `buffer`. */
  receive(buffer: Buffer): Promise<Buffer | undefined>;
  /** Sends one message, waiting while the peer's queue is full. */
  send(data: Buffer): Promise<void>;
  /** Says that no more will be sent. */
  endWrite(): void;
  /** Ends both directions, which wakes a pending `receive`, and closes once that has returned. Idempotent. */
  close(): void;
}

/** Connects to the SOCK_SEQPACKET socket at `path`. A path longer than 107 bytes must be shortened by the caller (`/proc/self/fd/N/…`). */
export function connectPacketSocket(path: string): PacketSocket {
  const name = Buffer.from(path);
  if (name.length >= SUN_PATH) throw new SyscallError('connect', 'ENAMETOOLONG', { path });
  const address = Buffer.alloc(2 + SUN_PATH);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const fd = socketCall({ path }, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  try {
    connectCall({ path }, fd, address, 2 + name.length + 1);
  } catch (error) {
    closeCall(undefined, fd);
    throw error;
  }
  return new NativePacketSocket(fd, path);
}

class NativePacketSocket implements PacketSocket {
  readonly #fd: number;
  readonly #path: string;
  #pending = 0;
  #closing = false;
  #closed = false;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  async receive(buffer: Buffer): Promise<Buffer | undefined> {
    const receive = () => recvCall.async({ path: this.#path }, this.#fd, buffer, buffer.length, 0);
    let length = await this.#during(receive);
    // Told once, before anything that came earlier: the other side went without having read all. What it sent is there.
    if (length === 'gone') length = await this.#during(receive);
    return typeof length === 'number' && length > 0 ? buffer.subarray(0, length) : undefined;
  }

  async send(data: Buffer): Promise<void> {
    await this.#during(() => sendCall.async({ path: this.#path }, this.#fd, data, data.length, MSG_NOSIGNAL));
  }

  endWrite(): void {
    if (!this.#closing) this.#shutdown(SHUT_WR);
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#shutdown(SHUT_RDWR);
    this.#closeWhenIdle();
  }

  /** What a call gives; `gone` when there is no other side any more, `undefined` when this one was closed. */
  async #during(run: () => Promise<number>): Promise<number | 'gone' | undefined> {
    if (this.#closing) return undefined;
    this.#pending++;
    try {
      return await run();
    } catch (error) {
      if (error instanceof SyscallError && (error.code === 'ECONNRESET' || error.code === 'EPIPE'))
        return 'gone';
      throw error;
    } finally {
      this.#pending--;
      if (this.#closing) this.#closeWhenIdle();
    }
  }

  #shutdown(how: number): void {
    try {
      shutdownCall({ path: this.#path }, this.#fd, how);
    } catch (error) {
      if (!(error instanceof SyscallError && error.code === 'ENOTCONN')) throw error;
    }
  }

  /** A descriptor that another thread sleeps on must not be closed: its number could be given out again. */
  #closeWhenIdle(): void {
    if (this.#pending > 0 || this.#closed) return;
    this.#closed = true;
    closeCall(undefined, this.#fd);
  }
}
