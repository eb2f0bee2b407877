/** Why cells are not just 'works': each reason once, with a number, and what it is the reason of. */
import type { Cell, KernelResult, Status } from './schema.ts';

/** A reason with the cells that it is given for. */
export interface Reason {
  readonly number: number;
  readonly text: string;
  readonly status: Status;
  /** `overlay2 on xfs-noftype (host, debian:6.1)`. */
  readonly where: readonly string[];
}

/** All reasons of a matrix, numbered in the order in which a reader meets them. */
export interface Reasons {
  readonly list: readonly Reason[];
  /** The numbers of a cell's reasons. */
  numbers(cell: Cell): readonly number[];
}

/** What the same reason reads in every run: process numbers in it are no difference. */
export function steadyReason(text: string): string {
  return text.replaceAll(/(\.tsengine-probe)-\d+/g, '$1');
}

/** Collects the reasons of all kernels. */
export function collectReasons(kernels: readonly KernelResult[]): Reasons {
  const found = new Map<
    string,
    { number: number; text: string; status: Status; where: Map<string, string[]> }
  >();
  const keyOf = (cell: Cell, reason: string): string => `${cell.status} ${steadyReason(reason)}`;
  for (const kernel of kernels) {
    for (const cell of kernel.cells) {
      for (const text of cell.reasons) {
        const key = keyOf(cell, text);
        const fresh = {
          number: found.size + 1,
          text: steadyReason(text),
          status: cell.status,
          where: new Map(),
        };
        const reason = found.get(key) ?? fresh;
        found.set(key, reason);
        const place = `${cell.driver} on ${cell.backing}`;
        reason.where.set(place, [...(reason.where.get(place) ?? []), kernel.name]);
      }
    }
  }
  const all = [...new Set(kernels.map(({ name }) => name))].length;
  return {
    list: [...found.values()].map(({ where, ...reason }) => ({ ...reason, where: places(where, all) })),
    numbers: (cell) => cell.reasons.flatMap((text) => found.get(keyOf(cell, text))?.number ?? []),
  };
}

/** Names the kernels only where it is not all of them. */
function places(where: ReadonlyMap<string, readonly string[]>, all: number): string[] {
  return [...where].map(([place, names]) => {
    const kernels = [...new Set(names)];
    return kernels.length === all ? place : `${place} (${kernels.join(', ')})`;
  });
}
