/** What goes between the agent in a machine and us: a letter, the length in four bytes, the data. */

/** One message. */
export interface Frame {
  readonly kind: string;
  readonly data: Buffer;
}

/** The longest frame that is believed. */
const LONGEST = 1024 * 1024;
const HEADER = 5;

/** A frame's bytes. */
export function encodeFrame(kind: string, data: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(data);
  const header = Buffer.alloc(HEADER);
  header.write(kind, 0, 1, 'latin1');
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

/** Texts in one frame, each ended by the next one's beginning. */
export function encodeFields(fields: readonly (string | number)[]): string {
  return fields.join('\0');
}

/** Puts frames together out of pieces. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** The frames that are complete with this piece. Throws for a length that no frame of ours has. */
  push(piece: Buffer): readonly Frame[] {
    this.#pending = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece]);
    const frames: Frame[] = [];
    while (this.#pending.length >= HEADER) {
      const length = this.#pending.readUInt32BE(1);
      if (length > LONGEST) throw new RangeError(`a message of ${length} bytes`);
      if (this.#pending.length < HEADER + length) break;
      const kind = this.#pending.toString('latin1', 0, 1);
      frames.push({ kind, data: this.#pending.subarray(HEADER, HEADER + length) });
      this.#pending = this.#pending.subarray(HEADER + length);
    }
    return frames;
  }
}
