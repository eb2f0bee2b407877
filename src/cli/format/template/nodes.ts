/** The syntax tree of a template. Every node knows where it stands and how Go would print it in an error. */

/** Something that a command is made of: an operand or a parenthesised pipeline. */
export type Operand =
  | { readonly kind: 'dot' | 'nil'; readonly position: number }
  | { readonly kind: 'bool'; readonly position: number; readonly value: boolean }
  | { readonly kind: 'number'; readonly position: number; readonly text: string; readonly value: unknown }
  | { readonly kind: 'string'; readonly position: number; readonly text: string; readonly value: string }
  | { readonly kind: 'identifier'; readonly position: number; readonly name: string }
  | { readonly kind: 'field'; readonly position: number; readonly path: readonly string[] }
  | {
      readonly kind: 'variable';
      readonly position: number;
      readonly name: string;
      readonly path: readonly string[];
    }
  | {
      readonly kind: 'chain';
      readonly position: number;
      readonly base: Operand;
      readonly path: readonly string[];
    }
  | Pipeline;

/** A word and its arguments. */
export interface Command {
  readonly kind: 'command';
  readonly position: number;
  readonly args: readonly Operand[];
}

/** Commands joined by `|`, with the variables that take the result. */
export interface Pipeline {
  readonly kind: 'pipeline';
  readonly position: number;
  readonly variables: readonly string[];
  /** Whether the variables are assigned to (`=`) and not declared (`:=`). */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

/** One piece of a template. */
export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly position: number; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly position: number;
      readonly pipeline: Pipeline;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: 'break' | 'continue'; readonly position: number };

/** The node as Go's error messages print it. */
export function show(node: Operand | Command): string {
  switch (node.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'bool':
      return String(node.value);
    case 'number':
    case 'string':
      return node.text;
    case 'identifier':
      return node.name;
    case 'field':
      return showPath(node.path);
    case 'variable':
      return node.name + showPath(node.path);
    case 'chain':
      return (node.base.kind === 'pipeline' ? `(${show(node.base)})` : show(node.base)) + showPath(node.path);
    case 'command':
      return node.args.map((arg) => (arg.kind === 'pipeline' ? `(${show(arg)})` : show(arg))).join(' ');
    case 'pipeline': {
      const commands = node.commands.map(show).join(' | ');
      if (node.variables.length === 0) return commands;
      return `${node.variables.join(', ')} ${node.assigns ? '=' : ':='} ${commands}`;
    }
  }
}

function showPath(path: readonly string[]): string {
  return path.map((name) => `.${name}`).join('');
}
