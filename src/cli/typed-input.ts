import { EscapeKeys } from './escape-keys.ts';

/** What of `process.stdin`, a terminal, is used. */
export interface TypedTerminal {
  setRawMode(isRaw: boolean): unknown;
  pause(): unknown;
  resume(): unknown;
  on(event: 'data' | 'end' | 'error', listener: (data: Buffer) => void): unknown;
  off(event: 'data' | 'end', listener: (data: Buffer) => void): unknown;
}

/**
 * What is typed, key by key, from the moment that the machine asks for it: until then, and once it wants no more, Ctrl-C is
 * ours. It is read at once, however long the machine does not take it, so that the escape is always seen.
 */
export class TypedInput implements AsyncIterableIterator<Buffer> {
  readonly #terminal: TypedTerminal;
  readonly #onEscape: () => void;
  readonly #keys = new EscapeKeys();
  #typed: Buffer[] = [];
  #isOpen = false;
  #isOver = false;
  #wake: (() => void) | undefined;

  /** `onEscape` is called when the escape was typed. */
  constructor(terminal: TypedTerminal, onEscape: () => void) {
    this.#terminal = terminal;
    this.#onEscape = onEscape;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    if (!this.#isOpen && !this.#isOver) this.#open();
    while (this.#typed.length === 0 && !this.#isOver)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const value = Buffer.concat(this.#typed);
    this.#typed = [];
    return value.length === 0 ? { done: true, value: undefined } : { done: false, value };
  }

  /** Gives the terminal back. Idempotent. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  #open(): void {
    this.#isOpen = true;
    // A terminal that was closed gives errors for all that is asked of it, giving it back included: it has ended, and so for good.
    this.#terminal.on('error', this.#end);
    this.#terminal.setRawMode(true);
    this.#terminal.on('data', this.#take);
    this.#terminal.on('end', this.#end);
    this.#terminal.resume();
  }

  readonly #take = (data: Buffer): void => {
    const { data: typed, ended } = this.#keys.push(data);
    if (typed.length > 0) this.#typed.push(typed);
    if (ended) {
      this.#end();
      this.#onEscape();
    }
    this.#wake?.();
  };

  readonly #end = (): void => {
    this.#isOver = true;
    this.#wake?.();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#terminal.off('data', this.#take);
    this.#terminal.off('end', this.#end);
    this.#terminal.setRawMode(false);
    this.#terminal.pause();
  };
}
