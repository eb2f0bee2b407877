/** Runs a parsed template over data, as Go's text/template (Go 1.19) does, with its error messages. */
import { formatValue } from '../go/printf.ts';
import {
  isJsonStruct,
  isKeyed,
  isStrictMap,
  jsonStructName,
  keysOf,
  kindOf,
  MISSING,
  Spelled,
  typeName,
} from '../go/values.ts';
import { Overflow } from './constants.ts';
import { isTrue, type Parameter, type TemplateFunction } from './functions.ts';
import { type Command, type Operand, type Pipeline, type Statement, show } from './nodes.ts';

/** A failure while a template ran; the message starts with `template: :LINE:COLUMN: executing "" at <…>:`. */
export class TemplateExecError extends Error {}

/** Gives the text that `statements`, parsed from `source`, make of `data`. Throws `TemplateExecError`. */
export function executeTemplate(
  source: string,
  statements: readonly Statement[],
  functions: ReadonlyMap<string, TemplateFunction>,
  data: unknown,
): string {
  const run = new Run(source, functions, data);
  run.walk(data, statements);
  return run.output;
}

/** What stops the statements of a `range` early. */
type Jump = 'break' | 'continue' | undefined;

type Located = Operand | Command;

class Run {
  output = '';
  readonly #source: string;
  readonly #functions: ReadonlyMap<string, TemplateFunction>;
  readonly #variables: { readonly name: string; value: unknown }[];
  /** The node that an error is about. */
  #at: Located | undefined;

  constructor(source: string, functions: ReadonlyMap<string, TemplateFunction>, data: unknown) {
    this.#source = source;
    this.#functions = functions;
    this.#variables = [{ name: '$', value: data }];
  }

  walk(dot: unknown, statements: readonly Statement[]): Jump {
    for (const statement of statements) {
      const jump = this.#statement(dot, statement);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  #statement(dot: unknown, statement: Statement): Jump {
    switch (statement.kind) {
      case 'text':
        this.output += statement.text;
        return undefined;
      case 'break':
      case 'continue':
        return statement.kind;
      case 'action': {
        const value = this.#pipeline(dot, statement.pipeline);
        if (statement.pipeline.variables.length === 0) this.#print(statement.pipeline, value);
        return undefined;
      }
      case 'range':
        return this.#scoped(() => this.#range(dot, statement));
      default:
        return this.#scoped(() => {
          const value = this.#pipeline(dot, statement.pipeline);
          if (!isTrue(value)) return this.walk(dot, statement.otherwise);
          return this.walk(statement.kind === 'with' ? value : dot, statement.body);
        });
    }
  }

  /** Forgets the variables that `body` declared. */
  #scoped<T>(body: () => T): T {
    const known = this.#variables.length;
    const result = body();
    this.#variables.length = known;
    return result;
  }

  #range(dot: unknown, statement: Extract<Statement, { kind: 'if' | 'with' | 'range' }>): Jump {
    const { pipeline, body, otherwise } = statement;
    const value = this.#pipeline(dot, pipeline);
    const items = rangeItems(value);
    if (items === undefined) this.#fail(`range can't iterate over ${formatValue(value)}`);
    if (items.length === 0) return this.walk(dot, otherwise);
    const names = pipeline.variables;
    for (const [key, item] of items) {
      // With one variable it is the element, with two the first is the index.
      const values = names.length > 1 ? [key, item] : [item];
      names.forEach((name, index) => {
        this.#assign(name, values[index]);
      });
      const jump = this.#scoped(() => this.walk(item, body));
      if (jump === 'break') break;
    }
    return undefined;
  }

  #print(node: Located, value: unknown): void {
    this.#at = node;
    if (typeof value === 'function') this.#fail(`can't print ${show(node)} of type func()`);
    const hasNone = kindOf(value) === 'nil' && !(value instanceof Spelled);
    this.output += hasNone ? '<no value>' : formatValue(value);
  }

  #pipeline(dot: unknown, pipeline: Pipeline): unknown {
    this.#at = pipeline;
    let value: unknown = NONE;
    for (const command of pipeline.commands) value = this.#command(dot, command, value);
    for (const name of pipeline.variables) {
      if (pipeline.assigns) this.#assign(name, value);
      else this.#variables.push({ name, value });
    }
    return value;
  }

  /** Evaluates a command; `final` is the result of the one before it in the pipeline, which becomes its last argument. */
  #command(dot: unknown, command: Command, final: unknown): unknown {
    const first = command.args[0];
    const args = command.args.length > 1 ? command.args.slice(1) : NO_ARGUMENTS;
    if (first === undefined) return this.#fail('empty command');
    if (first.kind === 'identifier') return this.#function(dot, first, command, args, final);
    if (
      first.kind === 'field' ||
      first.kind === 'chain' ||
      (first.kind === 'variable' && first.path.length > 0)
    ) {
      return this.#path(dot, first, args, final);
    }
    if (first.kind !== 'pipeline' && first.kind !== 'variable') this.#at = first;
    if (args.length > 0 || final !== NONE) this.#fail(`can't give argument to non-function ${show(first)}`);
    if (first.kind === 'nil') this.#fail('nil is not a command');
    return this.#operand(dot, first);
  }

  /** The value of an operand that takes no arguments. */
  #operand(dot: unknown, node: Operand): unknown {
    switch (node.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'bool':
      case 'string':
        return node.value;
      case 'number':
        if (node.value instanceof Overflow) this.#fail(`${node.text} overflows int`);
        return node.value;
      case 'pipeline':
        return this.#pipeline(dot, node);
      case 'identifier':
        return this.#function(dot, node, node, [], NONE);
      case 'variable':
        if (node.path.length === 0) return this.#variable(node.name).value;
        return this.#path(dot, node, [], NONE);
      default:
        return this.#path(dot, node, [], NONE);
    }
  }

  #path(
    dot: unknown,
    node: Extract<Operand, { kind: 'field' | 'variable' | 'chain' }>,
    args: readonly Operand[],
    final: unknown,
  ): unknown {
    this.#at = node;
    let value = dot;
    if (node.kind === 'variable') value = this.#variable(node.name).value;
    if (node.kind === 'chain') value = this.#operand(dot, node.base);
    let left = node.path.length;
    for (const name of node.path) {
      left -= 1;
      value = this.#field(
        dot,
        value,
        name,
        node,
        left === 0 ? args : NO_ARGUMENTS,
        left === 0 ? final : NONE,
      );
    }
    return value;
  }

  #field(
    dot: unknown,
    receiver: unknown,
    name: string,
    node: Located,
    args: readonly Operand[],
    final: unknown,
  ): unknown {
    this.#at = node;
    if (receiver === MISSING || receiver === undefined) return MISSING;
    if (receiver === null) this.#fail(`nil pointer evaluating interface {}.${name}`);
    if (!isKeyed(receiver)) this.#fail(`can't evaluate field ${name} in type interface {}`);
    const found = Object.hasOwn(receiver, name);
    if (!found && kindOf(receiver) === 'struct')
      this.#fail(`can't evaluate field ${name} in type ${typeName(receiver)}`);
    const value = found ? receiver[name] : MISSING;
    if (typeof value === 'function') return this.#method(dot, receiver, value, name, node, args, final);
    if (args.length > 0 || final !== NONE) this.#fail(`${name} is not a method but has arguments`);
    if (!found && jsonStructName(receiver) !== undefined)
      this.#fail(`can't evaluate field ${name} in type ${jsonStructName(receiver)}`);
    if (!found && (isJsonStruct(receiver) || isStrictMap(receiver)))
      this.#fail(`map has no entry for key "${name}"`);
    return value;
  }

  #method(
    dot: unknown,
    receiver: unknown,
    method: { readonly length: number },
    name: string,
    node: Located,
    args: readonly Operand[],
    final: unknown,
  ): unknown {
    const parameters = new Array<Parameter>(method.length).fill('string');
    const call = (...values: readonly unknown[]): unknown => {
      return typeof method === 'function' ? Reflect.apply(method, receiver, values) : undefined;
    };
    return this.#call(dot, { parameters, call }, name, node, args, final);
  }

  #function(
    dot: unknown,
    node: Extract<Operand, { kind: 'identifier' }>,
    command: Located,
    args: readonly Operand[],
    final: unknown,
  ): unknown {
    this.#at = node;
    const target = this.#functions.get(node.name);
    if (target === undefined) return this.#fail(`"${node.name}" is not a defined function`);
    return this.#call(dot, target, node.name, command, args, final);
  }

  #call(
    dot: unknown,
    target: TemplateFunction,
    name: string,
    node: Located,
    args: readonly Operand[],
    final: unknown,
  ): unknown {
    const { parameters, rest } = target;
    const count = args.length + (final === NONE ? 0 : 1);
    if (rest === undefined ? count !== parameters.length : count < parameters.length) {
      const least = rest === undefined ? '' : 'at least ';
      this.#fail(`wrong number of args for ${name}: want ${least}${parameters.length} got ${count}`);
    }
    const values: unknown[] = [];
    for (const [index, arg] of args.entries()) {
      const value = this.#argument(dot, arg, parameters[index] ?? rest ?? 'any');
      if (target.shortCircuit !== undefined && isTrue(value) === (target.shortCircuit === 'or')) return value;
      values.push(value);
    }
    if (final !== NONE) values.push(this.#checked(final, parameters[args.length] ?? rest ?? 'any'));
    try {
      return target.call(...values);
    } catch (error) {
      this.#at = node;
      return this.#fail(`error calling ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #argument(dot: unknown, node: Operand, type: Parameter): unknown {
    this.#at = node;
    if (node.kind === 'nil' && (type === 'string' || type === 'int'))
      this.#fail(`cannot assign nil to ${type}`);
    const literal = node.kind === 'bool' || node.kind === 'number' || node.kind === 'string';
    const value = this.#operand(dot, node);
    if (!literal || type === 'any') return this.#checked(value, type);
    if (type === 'string' && node.kind !== 'string') this.#fail(`expected string; found ${show(node)}`);
    if (type === 'int' && !(node.kind === 'number' && Number.isInteger(asNumber(value)))) {
      this.#fail(`expected integer; found ${show(node)}`);
    }
    if (type === 'strings') this.#fail(`can't handle ${show(node)} for arg of type []string`);
    return value;
  }

  /** The value, which must be of the parameter's type. */
  #checked(value: unknown, type: Parameter): unknown {
    if (type === 'any') return value === MISSING || value === undefined ? null : value;
    if (value === MISSING || value === undefined) {
      return type === 'strings' ? null : this.#fail(`invalid value; expected ${type}`);
    }
    if (type === 'strings') {
      if (value === null || (Array.isArray(value) && value.every((item) => typeof item === 'string')))
        return value;
    } else if (kindOf(value) === type) return value;
    const expected = type === 'strings' ? '[]string' : type;
    const got = value === null ? 'interface {}' : typeName(value);
    return this.#fail(`wrong type for value; expected ${expected}; got ${got}`);
  }

  #variable(name: string): { readonly name: string; value: unknown } {
    const found = this.#variables.findLast((variable) => variable.name === name);
    return found ?? this.#fail(`undefined variable: ${name}`);
  }

  #assign(name: string, value: unknown): void {
    this.#variable(name).value = value;
  }

  #fail(message: string): never {
    const node = this.#at;
    if (node === undefined) throw new TemplateExecError(`template: : ${message}`);
    const before = this.#source.slice(0, node.position);
    const line = before.split('\n').length;
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
    throw new TemplateExecError(`template: :${line}:${column}: executing "" at <${show(node)}>: ${message}`);
  }
}

/** Stands for the absent result of a command that does not exist: the one before the first of a pipeline. */
const NONE: unique symbol = Symbol('no command before');
const NO_ARGUMENTS: readonly Operand[] = [];

function rangeItems(value: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  const kind = kindOf(value);
  if (Array.isArray(value)) return value.map((item: unknown, index) => [index, item] as const);
  if (kind === 'map' && isKeyed(value))
    return keysOf(value)
      .toSorted()
      .map((key) => [key, value[key]] as const);
  return kind === 'nil' ? [] : undefined;
}

function asNumber(value: unknown): number {
  return kindOf(value) === 'int' || kindOf(value) === 'float' ? Number(formatValue(value)) : Number.NaN;
}
