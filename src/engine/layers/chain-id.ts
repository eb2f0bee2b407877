import { sha256Hex } from '../../linux/sha256.ts';
import type { ChainId, DiffId } from './types.ts';

/** The 64 hexadecimal characters of a `sha256:…` digest. Throws `TypeError` on anything else: such a string never becomes a path. */
export function digestHex(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new TypeError(`not a sha256 digest: ${JSON.stringify(digest)}`);
  return hex;
}

/** The chain ID of a layer on top of `parent` (on nothing when `undefined`). Source: OCI image spec, config.md, "Layer ChainID". */
export function chainIdOf(parent: ChainId | undefined, diff: DiffId): ChainId {
  if (parent === undefined) return diff;
  return `sha256:${sha256Hex(`${parent} ${diff}`)}`;
}

/** The chain IDs of an image's layers, bottom first. */
export function chainIdsOf(diffs: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diff of diffs) chain.push(chainIdOf(chain.at(-1), diff));
  return chain;
}
