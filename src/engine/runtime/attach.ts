/**
 * The foreground's end of conmon's attach socket. Every packet that comes carries output: a first byte that says which
 * (2 standard output, 3 standard error, conmon's `stdpipe_t`), then the bytes. What we send is input. conmon closes the
 * socket after the last output and before it writes the exit file.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '../../errors.ts';
import { closeFd, O_DIRECTORY, O_PATH, openAt } from '../../linux/at.ts';
import { connectPacketSocket, type PacketSocket } from '../../linux/socket.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import type { Attachment, LogChunk } from '../api/services.ts';
import type { RunDir } from './run-dir.ts';

const STDERR_PACKET = 3;
/** More than conmon ever puts into a packet (8 KiB and one byte in 2.1). */
const RECEIVE_SIZE = 64 * 1024;
/** conmon silently cuts input packets at 32 KiB, less one byte in some versions. */
const SEND_SIZE = 16 * 1024;

/**
 * Connects to a container's conmon. Done between `create` and `start`; conmon-turn.ts says what else it takes for conmon to
 * see the connection before there can be any output. The socket's path is longer than an address may be, and is shortened by way of a descriptor.
 */
async function connect(run: RunDir): Promise<PacketSocket> {
  const directory = openAt(AT_FDCWD, run.path, O_PATH | O_DIRECTORY);
  try {
    // Ten may queue at conmon's door (its listen backlog); it lets them in between any two things that it does.
    for (let attempt = 0; ; attempt += 1) {
      try {
        return connectPacketSocket(`/proc/self/fd/${directory}/attach`);
      } catch (error) {
        if (attempt >= 50 || !hasErrno(error, 'EAGAIN')) throw error;
        await sleep(10);
      }
    }
  } finally {
    closeFd(directory);
  }
}

/** An attachment whose end can be waited for without reading its output. */
export interface MonitorAttachment extends Attachment {
  /** When conmon has sent all output, or the attachment was disposed of. Only while somebody reads `output()`. */
  readonly ended: Promise<void>;
}

/** Attaches to a container: see `Attachment`. Output must be read, or the container stops once some buffers are full. */
export async function attachTo(run: RunDir): Promise<MonitorAttachment> {
  return new SocketAttachment(await connect(run));
}

class SocketAttachment implements MonitorAttachment {
  readonly ended: Promise<void>;
  readonly #socket: PacketSocket;
  #end: () => void = () => undefined;
  #inputEnded = false;

  constructor(socket: PacketSocket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async *output(): AsyncGenerator<LogChunk> {
    const buffer = Buffer.allocUnsafe(RECEIVE_SIZE);
    try {
      for (;;) {
        const packet = await this.#socket.receive(buffer);
        if (packet === undefined) return;
        const stream = packet[0] === STDERR_PACKET ? 'stderr' : 'stdout';
        yield { stream, data: Buffer.from(packet.subarray(1)) };
      }
    } finally {
      this.#end();
    }
  }

  async write(data: Buffer): Promise<void> {
    for (let at = 0; at < data.length && !this.#inputEnded; at += SEND_SIZE) {
      await this.#socket.send(data.subarray(at, at + SEND_SIZE));
    }
  }

  async endInput(): Promise<void> {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    this.#socket.endWrite();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    this.#end();
  }
}
