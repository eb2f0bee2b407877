/**
 * Go's encoding/json as zod schemas. Docker's files and API bodies are Go structs: a key that is absent, or that is
 * `null` where Go has no null, means the zero value of its type; keys marked `omitempty` are written only when they
 * are not zero. These few builders say that once, so that a file written by any Docker, or an API body by any client,
 * gives a complete object, and writing it again gives the keys that Docker 20.10 writes, in its order.
 */
import * as z from 'zod/mini';
import { once } from '../../once.ts';

function withZero<T>(inner: z.ZodMiniType<T>, zero: () => T) {
  return z.pipe(
    z.nullish(inner),
    z.transform((value: T | null | undefined): T => value ?? zero()),
  );
}

// Most fields are of a few types, and each schema costs 50 µs at start-up: each is made once.

/** A Go `string`: absent and null mean the empty string. */
export const goString = once(() => withZero(z.string(), () => ''));

/** A Go `bool`: absent and null mean false. */
export const goBool = once(() => withZero(z.boolean(), () => false));

/** A Go integer: absent and null mean 0. Only integers that a JavaScript number holds exactly are taken. */
export const goInt = once(() => withZero(z.int(), () => 0));

/** A Go pointer: absent and null both mean nil, which Docker writes as `null`. */
export const goPointer = <T>(inner: z.ZodMiniType<T>) => withZero<T | null>(z.nullable(inner), () => null);

/** A Go slice: nil (`null`) and empty (`[]`) are told apart, absent means nil. */
export const goSlice = <T>(inner: z.ZodMiniType<T>) => goPointer(z.array(inner));

/** A Go `[]string`. */
export const goStrings = once(() => goSlice(z.string()));

/** A Go map with string keys: nil (`null`) and empty (`{}`) are told apart, absent means nil. */
export const goMap = <T>(inner: z.ZodMiniType<T>) => goPointer(z.record(z.string(), inner));

/** A Go struct embedded by value: absent and null mean a struct of zero values. `inner` must accept `{}`. */
export const goStruct = <T extends z.ZodMiniType>(inner: T) =>
  z.pipe(
    z.transform((value: unknown): unknown => value ?? {}),
    inner,
  );

/** An `omitempty` key: absent, or null, is left out. */
export const omitEmpty = <T>(inner: z.ZodMiniType<T>) =>
  z.optional(
    z.pipe(
      z.nullish(inner),
      z.transform((value: T | null | undefined): T | undefined => value ?? undefined),
    ),
  );

/** An `omitempty` string. */
export const omitEmptyString = once(() => omitEmpty(z.string()));

/** An `omitempty` bool. */
export const omitEmptyBool = once(() => omitEmpty(z.boolean()));

/** An `omitempty` map from strings to strings. */
export const omitEmptyStringMap = once(() => omitEmpty(z.record(z.string(), z.string())));

/** Docker's `strslice.StrSlice`: a list of strings, or one string that stands for a list of one. */
export const strSlice = once(() =>
  goPointer(
    z.pipe(
      z.union([z.string(), z.array(z.string())]),
      z.transform((value: string | string[]): string[] => (typeof value === 'string' ? [value] : value)),
    ),
  ),
);
