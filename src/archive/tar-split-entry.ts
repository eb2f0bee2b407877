/**
 * The lines of a `tar-split.json.gz`: one JSON object each, in the order of the archive, as github.com/vbatts/tar-split
 * (`tar/storage`) writes them and Docker keeps them beside a layer. Type 1 stands for a member's content, to be read
 * from the layer's directory again; type 2 holds raw bytes of the archive in base64.
 */
import { isUtf8 } from 'node:buffer';

/** A line that stands for a file's content. */
export interface FileLine {
  readonly type: 'file';
  /** As the archive wrote it, with a directory's slash. */
  readonly name: Buffer;
  /** Bytes of content; 0 for everything that has none. */
  readonly size: number;
  /** CRC-64/ISO of the content, eight bytes; `undefined` when there is none. */
  readonly sum: Buffer | undefined;
}

/** A line that holds bytes of the archive. */
export interface SegmentLine {
  readonly type: 'segment';
  readonly bytes: Buffer;
}

/** The JSON of a segment, without a newline. */
export function segmentJson(bytes: Buffer, position: number): string {
  return `{"type":2,"payload":"${bytes.toString('base64')}","position":${position}}`;
}

/** The JSON of a file, with Go's field order: names that are not UTF-8 go to `name_raw`, a size of 0 is left out. */
export function fileJson(line: FileLine, position: number): string {
  const { name, size, sum } = line;
  const named = isUtf8(name)
    ? `"name":${goString(name.toString('utf8'))}`
    : `"name_raw":"${name.toString('base64')}"`;
  const payload = sum === undefined ? 'null' : `"${sum.toString('base64')}"`;
  const sized = size === 0 ? '' : `"size":${size},`;
  return `{"type":1,${name.length === 0 ? '' : `${named},`}${sized}"payload":${payload},"position":${position}}`;
}

/** What Go's encoding/json escapes and JSON.stringify does not, or in another way (Go 1.19, which Docker 20.10 is built with). */
const GO_ESCAPES: Record<string, string> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
  '\\b': '\\u0008',
  '\\f': '\\u000c',
};

function goString(text: string): string {
  const json = JSON.stringify(text);
  if (!/[<>&\u2028\u2029\\]/.test(json)) return json;
  // Escapes are matched whole, so that the end of one (`\\`) is not taken for the start of another.
  return json.replaceAll(/\\.|[<>&\u2028\u2029]/g, (found) => GO_ESCAPES[found] ?? found);
}
