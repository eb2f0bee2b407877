/** The parser of templates: Go's grammar (text/template of Go 1.19) without `define`, `block` and `template`. */
import { quote } from '../go/quote.ts';
import { numberConstant, stringConstant } from './constants.ts';
import { type Token, type TokenKind, tokenize } from './lex.ts';
import type { Command, Operand, Pipeline, Statement } from './nodes.ts';
import { show } from './nodes.ts';

/** A mistake in a template's text; the message starts with `template: :LINE:` as Go's does. */
export class TemplateSyntaxError extends Error {}

/** Parses `source`, in which the functions that `isFunction` knows may be called. Throws `TemplateSyntaxError`. */
export function parseTemplate(source: string, isFunction: (name: string) => boolean): readonly Statement[] {
  return new Parser(source, isFunction).parse();
}

type BlockEnd = 'end' | 'else';

class Parser {
  readonly #source: string;
  readonly #isFunction: (name: string) => boolean;
  readonly #tokens: readonly Token[];
  #next = 0;
  #variables: string[] = ['$'];
  #rangeDepth = 0;

  constructor(source: string, isFunction: (name: string) => boolean) {
    this.#source = source;
    this.#isFunction = isFunction;
    this.#tokens = tokenize(source);
  }

  parse(): readonly Statement[] {
    const { statements, end } = this.#statements(true);
    if (end !== undefined) this.#fail(`unexpected {{${end}}}`);
    return statements;
  }

  /** Statements up to an `end` or `else`, which is consumed; up to the end of the text where `top`. */
  #statements(top: boolean): {
    readonly statements: readonly Statement[];
    readonly end: BlockEnd | undefined;
  } {
    const statements: Statement[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === 'text') statements.push({ kind: 'text', text: token.text });
      else if (token.kind === 'leftDelim') {
        const statement = this.#action();
        if (statement === 'end' || statement === 'else') return { statements, end: statement };
        statements.push(statement);
      } else if (token.kind === 'end') {
        if (!top) this.#fail('unexpected EOF');
        return { statements, end: undefined };
      } else this.#unexpected(token, 'input');
    }
  }

  #action(): Statement | BlockEnd {
    const token = this.#takeVisible();
    if (token.kind !== 'keyword') {
      this.#next -= 1;
      const pipeline = this.#pipeline('command', 'rightDelim');
      return { kind: 'action', position: token.position, pipeline };
    }
    switch (token.text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#control(token.text, token.position);
      case 'end':
        this.#expectDelim('end');
        return 'end';
      case 'else':
        // `else if` leaves the `if` for #control.
        if (this.#peekVisible().text !== 'if') this.#expectDelim('else');
        return 'else';
      case 'break':
      case 'continue':
        this.#expectDelim(`{{${token.text}}}`);
        if (this.#rangeDepth === 0) this.#fail(`{{${token.text}}} outside {{range}}`);
        return { kind: token.text, position: token.position };
      default:
        return this.#fail(`{{${token.text}}} is not supported`);
    }
  }

  #control(kind: 'if' | 'with' | 'range', position: number): Statement {
    const known = this.#variables.length;
    const pipeline = this.#pipeline(kind, 'rightDelim');
    if (kind === 'range') this.#rangeDepth += 1;
    const { statements: body, end } = this.#statements(false);
    if (kind === 'range') this.#rangeDepth -= 1;
    const otherwise = end === 'else' ? this.#otherwise(kind) : [];
    this.#variables.length = known;
    return { kind, position, pipeline, body, otherwise };
  }

  #otherwise(kind: 'if' | 'with' | 'range'): readonly Statement[] {
    const token = this.#peekVisible();
    if (token.kind === 'keyword') {
      if (kind !== 'if') this.#unexpected(token, 'else');
      this.#takeVisible();
      // The nested `if` takes the one `end` that both share.
      return [this.#control('if', token.position)];
    }
    const { statements, end } = this.#statements(false);
    if (end === 'else') this.#fail('expected end; found {{else}}');
    return statements;
  }

  #pipeline(context: string, end: TokenKind): Pipeline {
    const position = this.#peekVisible().position;
    const { variables, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#takeVisible();
      if (token.kind === end) break;
      if (!STARTS_COMMAND.has(token.kind)) this.#unexpected(token, context);
      this.#next -= 1;
      commands.push(this.#command());
    }
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    commands.forEach((command, index) => {
      const first = command.args[0]?.kind ?? 'nil';
      if (index > 0 && CONSTANTS.has(first))
        this.#fail(`non executable command in pipeline stage ${index + 1}`);
    });
    return { kind: 'pipeline', position, variables, assigns, commands };
  }

  /** The `$x :=`, `$x =` or `$i, $x :=` before a pipeline. */
  #declarations(context: string): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const variables: string[] = [];
    for (;;) {
      const start = this.#next;
      const variable = this.#takeVisible();
      const after = variable.kind === 'variable' ? this.#takeVisible() : variable;
      const comma = after.kind === 'character' && after.text === ',';
      if (variable.kind !== 'variable' || !(comma || after.kind === 'assign' || after.kind === 'declare')) {
        this.#next = start;
        return { variables, assigns: false };
      }
      variables.push(variable.text);
      this.#variables.push(variable.text);
      if (!comma) return { variables, assigns: after.kind === 'assign' };
      if (context !== 'range' || variables.length > 1) this.#fail(`too many declarations in ${context}`);
      if (this.#peekVisible().kind !== 'variable') this.#fail('range can only initialize variables');
    }
  }

  #command(): Command {
    const position = this.#peekVisible().position;
    const args: Operand[] = [];
    for (;;) {
      this.#peekVisible();
      const operand = this.#operand();
      if (operand !== undefined) args.push(operand);
      const token = this.#take();
      if (token.kind === 'space') continue;
      if (token.kind === 'rightDelim' || token.kind === 'rightParen') this.#next -= 1;
      else if (token.kind !== 'pipe') this.#unexpected(token, 'operand');
      if (args.length === 0) this.#fail('empty command');
      return { kind: 'command', position, args };
    }
  }

  /** A term and the fields right behind it. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== 'field') return term;
    const position = this.#peek().position;
    const path: string[] = [];
    while (this.#peek().kind === 'field') path.push(this.#take().text.slice(1));
    if (term.kind === 'field') return { ...term, position, path: [...term.path, ...path] };
    if (term.kind === 'variable') return { ...term, position, path };
    if (CONSTANTS.has(term.kind)) this.#fail(`unexpected . after term ${quote(show(term))}`);
    return { kind: 'chain', position, base: term, path };
  }

  #term(): Operand | undefined {
    const { kind, text, position } = this.#takeVisible();
    switch (kind) {
      case 'identifier':
        if (!this.#isFunction(text)) this.#fail(`function ${quote(text)} not defined`);
        return { kind, position, name: text };
      case 'dot':
      case 'nil':
        return { kind, position };
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${quote(text)}`);
        return { kind, position, name: text, path: [] };
      case 'field':
        return { kind, position, path: [text.slice(1)] };
      case 'bool':
        return { kind, position, value: text === 'true' };
      case 'char':
      case 'number':
        return { kind: 'number', position, text, value: this.#constant(() => numberConstant(text)) };
      case 'string':
        return { kind, position, text, value: this.#constant(() => stringConstant(text)) };
      case 'leftParen':
        return this.#pipeline('parenthesized pipeline', 'rightParen');
      default:
        this.#next -= 1;
        return undefined;
    }
  }

  #constant<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      return this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', position: this.#source.length };
  }

  #peekVisible(): Token {
    while (this.#peek().kind === 'space') this.#next += 1;
    return this.#peek();
  }

  #takeVisible(): Token {
    this.#peekVisible();
    return this.#take();
  }

  #expectDelim(context: string): void {
    const token = this.#takeVisible();
    if (token.kind !== 'rightDelim') this.#unexpected(token, context);
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind === 'error') this.#fail(token.text);
    this.#fail(`unexpected ${showToken(token)} in ${context}`);
  }

  /** Go names the line of the last token that was read. */
  #fail(message: string): never {
    const at = this.#tokens[Math.max(this.#next - 1, 0)]?.position ?? 0;
    const line = 1 + this.#source.slice(0, at).split('\n').length - 1;
    throw new TemplateSyntaxError(`template: :${line}: ${message}`);
  }
}

const STARTS_COMMAND: ReadonlySet<TokenKind> = new Set([
  'bool',
  'char',
  'dot',
  'field',
  'identifier',
  'leftParen',
  'nil',
  'number',
  'string',
  'variable',
]);

const CONSTANTS: ReadonlySet<Operand['kind']> = new Set(['bool', 'dot', 'nil', 'number', 'string']);

function showToken(token: Token): string {
  if (token.kind === 'end') return 'EOF';
  if (token.kind === 'keyword' || token.kind === 'dot' || token.kind === 'nil') return `<${token.text}>`;
  return token.text.length > 10 ? `${quote(token.text.slice(0, 10))}...` : quote(token.text);
}
