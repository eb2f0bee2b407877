/** The comparisons of templates: `eq`, `ne`, `lt` and their kin, with Go's strictness about types. */
import { formatValue } from '../go/printf.ts';
import { type Kind, kindOf, numberOf, typeName } from '../go/values.ts';

const BASIC: ReadonlySet<Kind> = new Set(['bool', 'int', 'float', 'string']);

/** Whether `first` equals one of `others`. Throws for types that Go does not compare. */
export function isEqual(first: unknown, others: readonly unknown[]): boolean {
  checkComparable(first);
  if (others.length === 0) throw new Error('missing argument for comparison');
  return others.some((other) => {
    checkComparable(other);
    const [kind, otherKind] = [kindOf(first), kindOf(other)];
    if (kind === 'nil' || otherKind === 'nil') return kind === otherKind;
    if (kind !== otherKind) throw new Error('incompatible types for comparison');
    if (kind === 'int' || kind === 'float') return order(first, other) === 0;
    return first === other;
  });
}

/** Less than, equal to or greater than zero, as `a` is to `b`. Throws for types without an order. */
export function compare(a: unknown, b: unknown): number {
  const kind = basicKind(a);
  if (kind !== basicKind(b)) throw new Error('incompatible types for comparison');
  if (kind === 'bool') throw new Error('invalid type for comparison');
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return order(a, b);
}

function order(a: unknown, b: unknown): number {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0;
  return numberOf(a) - numberOf(b);
}

function basicKind(value: unknown): Kind {
  const kind = kindOf(value);
  if (!BASIC.has(kind)) throw new Error('invalid type for comparison');
  return kind;
}

function checkComparable(value: unknown): void {
  const kind = kindOf(value);
  if (BASIC.has(kind) || kind === 'nil' || kind === 'struct') return;
  throw new Error(`non-comparable type ${formatValue(value)}: ${typeName(value)}`);
}
