/** What the harness asks for, taken apart: the program in the container has no packages, zod neither. */

/** The arguments of one call. */
export type Arguments = Readonly<Record<string, unknown>>;

/** A number that must be there. */
export function numberOf(args: Arguments, name: string): number {
  const value = args[name];
  if (typeof value === 'number') return value;
  throw new Error(`the argument ${name} is no number`);
}

/** A text that must be there. */
export function textOf(args: Arguments, name: string): string {
  const value = args[name];
  if (typeof value === 'string') return value;
  throw new Error(`the argument ${name} is no text`);
}

/** Whether it is true; false where it is not there. */
export function isSet(args: Arguments, name: string): boolean {
  return args[name] === true;
}

/** Whether a value is an object with keys. */
export function isRecord(value: unknown): value is Arguments {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
