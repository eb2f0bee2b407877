/** Words of Dockerfile instructions: where they end, and what quotes, backslashes and variables in them come to. */
import { invalid } from './instructions.ts';

/** Splits at blanks outside quotes. Quotes and backslashes stay in the words. */
export function splitWords(text: string): string[] {
  return text.match(/(?:\\[\s\S]|"(?:\\[\s\S]|[^"\\])*(?:"|$)|'[^']*(?:'|$)|[^\s"'\\]|\\$)+/g) ?? [];
}

/** Expands one word: the value of `name` is `variable(name)`. Fails in Docker's words, which quote the whole word. */
export function expandWord(word: string, variable: (name: string) => string | undefined): string {
  return new Expansion(word, variable).run().join(' ');
}

/** Expands a text that may come to several words (`EXPOSE $PORTS`). */
export function expandWords(word: string, variable: (name: string) => string | undefined): string[] {
  return splitWords(new Expansion(word, variable).run().join(' '));
}

class Expansion {
  readonly #text: string;
  readonly #variable: (name: string) => string | undefined;
  #at = 0;

  constructor(text: string, variable: (name: string) => string | undefined) {
    this.#text = text;
    this.#variable = variable;
  }

  run(): string[] {
    return [this.#until(undefined)];
  }

  #fail(reason: string): never {
    invalid(`failed to process ${JSON.stringify(this.#text)}: ${reason}`);
  }

  /** Everything up to the character `end`, which is consumed, or to the end of the text. */
  #until(end: string | undefined): string {
    let out = '';
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] ?? '';
      if (char === end) {
        this.#at += 1;
        return out;
      }
      out += this.#one(char);
    }
    if (end !== undefined) this.#fail("missing ':' in substitution");
    return out;
  }

  #one(char: string): string {
    if (char === "'") return this.#single();
    if (char === '"') return this.#double();
    if (char === '$') return this.#dollar();
    this.#at += 1;
    if (char !== '\\') return char;
    // The escape character goes, and what it stands before stays; at the end of the text both do.
    const next = this.#text[this.#at] ?? '';
    this.#at += 1;
    return next;
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) this.#fail('unexpected end of statement while looking for matching single-quote');
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #double(): string {
    let out = '';
    this.#at += 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined)
        this.#fail('unexpected end of statement while looking for matching double-quote');
      if (char === '$') {
        out += this.#dollar();
        continue;
      }
      this.#at += 1;
      if (char === '"') return out;
      const next = this.#text[this.#at];
      if (char === '\\' && next !== undefined && '"$\\'.includes(next)) {
        out += next;
        this.#at += 1;
      } else out += char;
    }
  }

  #dollar(): string {
    this.#at += 1;
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#variable(name) ?? '');
    }
    this.#at += 1;
    if (this.#text[this.#at] === '}') this.#fail('syntax error: bad substitution');
    const name = this.#name();
    const value = this.#variable(name);
    const next = this.#text[this.#at];
    this.#at += 1;
    if (next === '}') return value ?? '';
    if (next !== ':') this.#fail("missing ':' in substitution");
    return this.#modified(name, value);
  }

  #modified(name: string, value: string | undefined): string {
    const modifier = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (!['-', '+', '?'].includes(modifier)) this.#fail(`unsupported modifier (${modifier}) in substitution`);
    const word = this.#until('}');
    const isSet = value !== undefined && value !== '';
    if (modifier === '+') return isSet ? word : '';
    if (modifier === '-') return isSet ? value : word;
    if (!isSet) this.#fail(`${name}: ${word === '' ? 'is not allowed to be empty' : word}`);
    return value;
  }

  /** A name, or one of the shell's one-character names, which mean nothing here. */
  #name(): string {
    const [name = ''] = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])/.exec(this.#text.slice(this.#at)) ?? [];
    this.#at += name.length;
    return name;
  }
}
