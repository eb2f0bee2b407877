/** How much room a run needs on the disk of its stores, told before anything is made. */
import { TsengineError } from '../../../src/errors.ts';
import { statfs } from '../../../src/linux/statfs.ts';
import type { Store } from '../stores/store.ts';
import { type Block, sizeText } from './blocks.ts';
import { type Layer, layerBytes } from './images.ts';
import type { SubjectPlan } from './subjects.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What a filesystem, an engine and its images' metadata take of their own. */
const OVERHEAD = 192 * MIB;
/** More than this of one subject is not measured: whole copies of every layer come to it. */
const MOST = 24 * GIB;

type Plan = Pick<SubjectPlan, 'driver' | 'store' | 'engine'>;

/** Bytes that a subject takes of a block's store at most. */
export function needOf(block: Block, plan: Plan): number {
  const layers = (block.layers ?? []).map(layerBytes);
  const mounted = layerBytes(block.mounted ?? []);
  const image = hasCopies(plan)
    ? sum(layers.map((_, index) => sum(layers.slice(0, index + 1))))
    : sum(layers);
  return OVERHEAD + mounted + image + turnNeed(block, plan);
}

/** Bytes that one turn of a subject takes beside what is there before it. */
export function turnNeed(block: Block, plan: Plan): number {
  const whole = sum((block.layers ?? []).map(layerBytes));
  const container = block.writes + (hasCopies(plan) ? 2 * whole : block.copiesUp);
  const kept = (block.kept ?? 0) * (hasCopies(plan) ? depthOf(block) : 1);
  return block.containers * container + kept;
}

/** vfs has the whole tree in each layer, and in each container's two, but where a copy shares its blocks. */
function hasCopies({ driver, engine, store }: Plan): boolean {
  return driver === 'vfs' && !(engine === 'tsengine' && store !== 'ext4');
}

/** How often work without an engine copies what lies below. */
function depthOf({ id }: Block): number {
  return id === 'build' ? 50 : 4;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Why a subject is left out of a block; `undefined` when it is not. */
export function leftOut(block: Block, plan: SubjectPlan): string | undefined {
  const need = needOf(block, plan);
  if (need <= MOST) return undefined;
  return `${plan.driver ?? plan.store} would need ${sizeText(need)} for it, because it keeps whole copies: it is left out`;
}

/** Bytes of the stores of a block: all have the same. Sparse, so that only what is written is taken. */
export function storeSize(block: Block, plans: readonly SubjectPlan[]): number {
  const needs = plans.filter((plan) => leftOut(block, plan) === undefined).map((plan) => needOf(block, plan));
  return Math.ceil((1.3 * Math.max(...needs, 0) + 2 * GIB) / GIB) * GIB;
}

/** Bytes that a block takes of the disk at most: all its stores, and that of its image's archive. */
export function blockNeed(block: Block, plans: readonly SubjectPlan[]): number {
  const archive = sum((block.layers ?? []).map((layer: Layer) => layerBytes(layer)));
  const needs = plans.filter((plan) => leftOut(block, plan) === undefined).map((plan) => needOf(block, plan));
  return sum(needs) + OVERHEAD + 1.2 * archive;
}

/** Bytes that a run takes at most: its largest block's. */
export function runNeed(blocks: readonly Block[], plans: readonly SubjectPlan[]): number {
  return Math.max(0, ...blocks.map((block) => blockNeed(block, plans)));
}

/** Fails with a line that says how much is needed when the folder's disk has not as much. */
export function mustHaveRoom(need: number, folder: string): void {
  const { available } = statfs(folder);
  if (need <= available) return;
  throw new TsengineError(
    'Unavailable',
    `it needs up to ${sizeText(Math.ceil(need / MIB) * MIB)} in ${folder}, and ${sizeText(Math.floor(available / MIB) * MIB)} are free: make room, name a folder on another disk with --on, or take fewer drivers, --size or --quick`,
  );
}

/** What there is to be had room of. */
interface Trimmed {
  readonly store: Pick<Store, 'trim'>;
}

/**
 * Sees that a folder's disk has so many bytes before they are written. What was removed in a store is not free there by itself: when
 * they are lacking, all stores give back what they do not use. Fails with a line when that is not enough.
 */
export async function keepRoom(
  rigs: readonly Trimmed[],
  folder: string,
  need: number,
  note: (text: string) => void,
): Promise<void> {
  const lacks = (): boolean => statfs(folder).available < need;
  if (!lacks()) return;
  for (const { store } of rigs) await store.trim?.();
  note(
    `${folder} was nearly full: the stores gave back what they do not use, which may show in what comes next`,
  );
  if (!lacks()) return;
  const { available } = statfs(folder);
  throw new TsengineError(
    'Unavailable',
    `it may write ${sizeText(Math.ceil(need / MIB) * MIB)}, and ${folder} has ${sizeText(Math.floor(available / MIB) * MIB)} left`,
  );
}
