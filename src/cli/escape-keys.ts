/** The way out of a terminal whose machine answers nothing any more: Enter, `~`, `.`, as ssh has it. */

const TILDE = 0x7e;
const DOT = 0x2e;
const CARRIAGE_RETURN = 0x0d;
const NEWLINE = 0x0a;

/** What is typed goes through here. At the beginning of a line `~.` is an end, and `~~` a tilde. */
export class EscapeKeys {
  #state: 'line-start' | 'tilde' | 'in-line' = 'line-start';

  /** What of it goes on to the machine; `ended` when the escape was typed, after which nothing counts. A tilde waits for the next key. */
  push(typed: Buffer): { readonly data: Buffer; readonly ended: boolean } {
    const out: number[] = [];
    for (const byte of typed) {
      if (this.#state === 'line-start' && byte === TILDE) {
        this.#state = 'tilde';
        continue;
      }
      if (this.#state === 'tilde') {
        if (byte === DOT) return { data: Buffer.from(out), ended: true };
        out.push(TILDE);
        if (byte === TILDE) {
          this.#state = 'in-line';
          continue;
        }
      }
      out.push(byte);
      this.#state = byte === CARRIAGE_RETURN || byte === NEWLINE ? 'line-start' : 'in-line';
    }
    return { data: Buffer.from(out), ended: false };
  }
}
