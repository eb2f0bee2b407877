/** The two formats of container logs, each one entry a line, turned into what the container wrote. */
import { parseTimestamp } from '../text/timestamp.ts';

/** One entry of a log. */
export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339, as it is in the file. */
  readonly time: string;
  /** What was written, with its newline if it had one. */
  readonly data: Buffer;
  /** Whether the line ends with this entry; a long or unfinished line is in several. */
  readonly endsLine: boolean;
  /** What the log driver noted of the container with each line. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Reads one line of a log, without its newline; `undefined` for one that a crash or a full disk cut off. */
export type LineParser = (line: Buffer) => LogEntry | undefined;

const NEWLINE = Buffer.from('\n');
const SPACE = 0x20;

function streamOf(text: string): LogEntry['stream'] | undefined {
  return text === 'stdout' || text === 'stderr' ? text : undefined;
}

/**
 * conmon's k8s-file format, which is CRI's: `TIME STREAM TAG TEXT`, where tag `F` means that the text had a newline and
 * `P` that it had none yet. Source: kubelet's CRI logging design.
 */
export const parseCriLine: LineParser = (line) => {
  const afterTime = line.indexOf(SPACE);
  const afterStream = line.indexOf(SPACE, afterTime + 1);
  const afterTag = line.indexOf(SPACE, afterStream + 1);
  if (afterTime < 0 || afterStream < 0 || afterTag < 0) return undefined;
  const stream = streamOf(line.toString('latin1', afterTime + 1, afterStream));
  const tag = line.toString('latin1', afterStream + 1, afterTag);
  if (stream === undefined || (tag !== 'F' && tag !== 'P')) return undefined;
  const text = line.subarray(afterTag + 1);
  const endsLine = tag === 'F';
  return {
    stream,
    time: line.toString('latin1', 0, afterTime),
    data: endsLine ? Buffer.concat([text, NEWLINE]) : Buffer.from(text),
    endsLine,
  };
};

/** Docker's json-file format: `{"log":"…\n","stream":"stdout","time":"…"}`. */
export const parseJsonLine: LineParser = (line) => {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('log' in value) || !('stream' in value))
    return undefined;
  const stream = typeof value.stream === 'string' ? streamOf(value.stream) : undefined;
  if (stream === undefined || typeof value.log !== 'string') return undefined;
  const time = 'time' in value && typeof value.time === 'string' ? value.time : '';
  const attributes = 'attrs' in value ? attributesOf(value.attrs) : undefined;
  return {
    ...{ stream, time, data: Buffer.from(value.log), endsLine: value.log.endsWith('\n') },
    ...(attributes === undefined ? {} : { attributes }),
  };
};

function attributesOf(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}

/** When the entry was written, in nanoseconds since 1970; 0 when it does not say. */
export function entryTime(entry: LogEntry): bigint {
  try {
    return parseTimestamp(entry.time);
  } catch {
    return 0n;
  }
}
