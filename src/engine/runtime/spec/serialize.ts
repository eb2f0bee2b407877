/** A spec as the text of `config.json`. */
import type { OciSpec } from './oci.ts';

declare global {
  interface JSON {
    /** A value that JSON.stringify writes as the given text. ECMAScript proposal "JSON.parse source text access". */
    rawJSON(text: string): unknown;
  }
}

/** The JSON text of a spec, with 64-bit limits in full: as numbers of JavaScript they would come out rounded. */
export function serializeSpec(spec: OciSpec): string {
  return JSON.stringify(spec, (_key, value: unknown) =>
    typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value,
  );
}
