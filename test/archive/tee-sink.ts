import type { TarSink } from '../../src/archive/types.ts';

/** One sink that hands everything to each of `sinks` in turn: an unpacker and a `TarSplitWriter`, for instance. */
export function teeSinks(...sinks: readonly TarSink[]): TarSink {
  return {
    entry: (entry) => {
      for (const sink of sinks) sink.entry(entry);
    },
    data: (chunk) => {
      for (const sink of sinks) sink.data(chunk);
    },
    endEntry: () => {
      for (const sink of sinks) sink.endEntry();
    },
    raw: (bytes) => {
      for (const sink of sinks) sink.raw?.(bytes);
    },
    globalHeader: (name) => {
      for (const sink of sinks) sink.globalHeader?.(name);
    },
    endOfArchive: () => {
      for (const sink of sinks) sink.endOfArchive?.();
    },
  };
}
