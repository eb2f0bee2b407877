/** The archives that the processes load, and what they may know of each other's work. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { dockerArchive, type MadeImage, makeImage, tarOf } from '../../helpers/images.ts';
import type { Ending, Operation } from './operation.ts';
import type { Random } from './random.ts';

/** An archive, and the names that its images get. */
export interface Archive {
  readonly file: string;
  readonly images: readonly string[];
  /** Names and the ids they point to after a load. */
  readonly tags: ReadonlyMap<string, string>;
}

/** What there is to work with. */
export interface Material {
  readonly archives: readonly Archive[];
  /** A small root filesystem to import. */
  readonly tar: string;
  /** Names of images that can be run. */
  readonly runnable: readonly string[];
}

function layer(name: string): Buffer {
  return tarOf([
    { name: 'mark/' },
    { name: `mark/${name}`, content: `${name}\n`.repeat(500) },
    { name: `only-${name}/` },
    { name: `only-${name}/file`, content: name.repeat(3000) },
  ]);
}

/** Writes images that share layers in every way: one below the other, side by side, and not at all. */
export async function makeMaterial(folder: string): Promise<Material> {
  mkdirSync(folder, { recursive: true });
  const rootfs = readFileSync(await tinyRootfs());
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(layer);
  const layers = { a: a ?? rootfs, b: b ?? rootfs, c: c ?? rootfs, d: d ?? rootfs };
  const images = {
    one: makeImage([rootfs, layers.a]),
    two: makeImage([rootfs, layers.a, layers.b]),
    side: makeImage([rootfs, layers.c]),
    data: makeImage([layers.a, layers.b, layers.c]),
    more: makeImage([layers.a, layers.b, layers.d]),
  };
  const archive = (name: string, parts: readonly (readonly [MadeImage, string | undefined])[]): Archive => {
    const file = `${folder}/${name}.tar`;
    const content = parts.map(([image, tag]) => ({ image, tags: tag === undefined ? null : [tag] }));
    writeFileSync(file, dockerArchive(content));
    const named = parts.flatMap(([image, tag]) => (tag === undefined ? [] : [[tag, image.id] as const]));
    return { file, images: parts.map(([image]) => image.id), tags: new Map(named) };
  };
  writeFileSync(`${folder}/root.tar`, layers.a);
  return {
    archives: [
      archive('one', [[images.one, 'run:one']]),
      archive('two', [
        [images.two, 'run:two'],
        [images.one, undefined],
      ]),
      archive('side', [[images.side, 'run:side']]),
      archive('data', [[images.data, 'data:1']]),
      archive('more', [
        [images.more, 'more:1'],
        [images.data, 'data:1'],
      ]),
    ],
    tar: `${folder}/root.tar`,
    runnable: ['run:one', 'run:two', 'run:side', images.one.id, images.side.id],
  };
}

/** How often each kind is drawn, of a hundred. */
export const WEIGHTS: Readonly<Record<Operation['kind'], number>> = {
  ...{ load: 17, import: 4, tag: 7, rmi: 13, run: 20, rm: 8, commit: 6, save: 4, look: 7 },
  ...{ 'prune-images': 2, 'prune-containers': 1, 'prune-system': 1, start: 4, stop: 3, kill: 3 },
};

/**
 * What all lanes together have named, or heard to be loaded, and not heard to be gone. Nothing in it need be there already,
 * or still.
 */
export class World {
  readonly tags: string[] = [];
  readonly ids: string[] = [];
  readonly containers: string[] = [];
  /** Containers that were made to run until somebody ends them. */
  readonly #sleepers = new Set<string>();
  /** Those of them that nobody was heard to end. */
  readonly #running = new Set<string>();
  readonly #material: Material;
  readonly #scratch: string;
  /** Kinds that are still to come before all have come as often as their weight says. */
  readonly #deck: Operation['kind'][] = [];
  #count = 0;

  constructor(material: Material, scratch: string) {
    this.#material = material;
    this.#scratch = scratch;
  }

  /** The next operation of a lane. */
  draw(random: Random, lane: number): Operation {
    const fresh = (): string => {
      this.#count += 1;
      return `l${lane}-${this.#count}`;
    };
    const newTag = (): string => {
      // Now and then a name that others use as well.
      const tag = random.below(4) === 0 ? `shared:${random.below(3)}` : `own:${fresh()}`;
      this.tags.push(tag);
      return tag;
    };
    const recent = (list: readonly string[]): string => random.pick(list.slice(-10)) ?? 'none';
    const anyImage = (): string => recent(random.below(2) === 0 ? this.tags : this.ids);
    const kind = this.#deal(random);
    switch (kind) {
      case 'load':
        return { kind, archive: random.pick(this.#material.archives)?.file ?? '' };
      case 'import': {
        const tagged = random.below(2) === 0;
        return { kind, file: this.#material.tar, ...(tagged ? { tag: newTag() } : {}) };
      }
      case 'tag':
        return { kind, source: anyImage(), target: newTag() };
      case 'rmi':
        return { kind, name: anyImage(), force: random.below(3) === 0 };
      case 'run': {
        // One of those that stay is always there, or about to be, for others to stop and kill.
        const how = this.#running.size === 0 ? 'detach' : random.weighted({ rm: 5, keep: 4, detach: 1 });
        const name = fresh();
        if (how !== 'rm') this.containers.push(name);
        if (how === 'detach') {
          this.#sleepers.add(name);
          this.#running.add(name);
        }
        return { kind, image: random.pick(this.#runnable()) ?? this.#material.runnable[0] ?? '', name, how };
      }
      case 'rm':
        return { kind, name: recent(this.containers), force: random.below(2) === 0 };
      case 'commit': {
        const tagged = random.below(2) === 0;
        return { kind, container: recent(this.containers), ...(tagged ? { tag: newTag() } : {}) };
      }
      case 'save':
        return { kind, image: anyImage(), file: `${this.#scratch}/${fresh()}.tar` };
      case 'look': {
        const at = random.pick(['ps', 'images', 'inspect'] as const) ?? 'ps';
        return { kind, at, name: random.below(2) === 0 ? anyImage() : recent(this.containers) };
      }
      case 'prune-images':
      case 'prune-system':
        return { kind, all: random.below(3) === 0 };
      case 'prune-containers':
        return { kind };
      case 'start':
        return { kind, name: recent(this.containers) };
      case 'stop':
      case 'kill':
        // Most often one that runs, as far as anybody knows.
        return { kind, name: recent(random.below(4) === 0 ? this.containers : [...this.#running]) };
    }
  }

  /** A kind from a deck that holds each as often as its weight: of a hundred operations none is left to chance. */
  #deal(random: Random): Operation['kind'] {
    if (this.#deck.length === 0) this.#deck.push(...wholeDeck());
    const [dealt = 'look'] = this.#deck.splice(random.below(this.#deck.length), 1);
    const first = this.#neededFirst(dealt);
    const at = first === undefined ? -1 : this.#deck.indexOf(first);
    if (first === undefined || at < 0) return dealt;
    // They change places: whatever waits comes before the deck has ended.
    this.#deck[at] = dealt;
    return first;
  }

  /** What must come first, so that a kind can do anything: a container that runs, an image to run. */
  #neededFirst(kind: Operation['kind']): Operation['kind'] | undefined {
    const isOfRunning = kind === 'start' || kind === 'stop' || kind === 'kill';
    if (kind !== 'run' && !(isOfRunning && this.#running.size === 0)) return undefined;
    if (this.#runnable().length === 0) return 'load';
    return isOfRunning ? 'run' : undefined;
  }

  /** Names of images that can be run. */
  #runnable(): readonly string[] {
    return this.#material.runnable.filter((one) => this.tags.includes(one) || this.ids.includes(one));
  }

  /**
   * Lets everybody know how an operation ended, so that most names are of something: what was not made is not named again,
   * and what was removed only as long as nobody has heard of it.
   */
  heard(operation: Operation, ending: Ending): void {
    if (ending.how === 'failed') this.#drop(nameMadeBy(operation));
    if (ending.how === 'failed' && /No such|Unable to find/.test(ending.message))
      this.#drop(nameUsedBy(operation));
    if (ending.how !== 'done') return;
    const { made, untagged, deleted } = ending.said;
    if (made !== undefined) this.ids.push(made);
    this.#drop(...untagged, ...deleted);
    this.#heardOfContainers(operation);
    if (operation.kind !== 'load') return;
    const loaded = this.#material.archives.find(({ file }) => file === operation.archive);
    for (const tag of loaded?.tags.keys() ?? []) moveToEnd(this.tags, tag);
    for (const id of loaded?.images ?? []) moveToEnd(this.ids, id);
  }

  #heardOfContainers(operation: Operation): void {
    const { kind } = operation;
    if (kind === 'run' && operation.how !== 'rm') moveToEnd(this.containers, operation.name);
    if (kind === 'start' && this.#sleepers.has(operation.name)) this.#running.add(operation.name);
    if (kind === 'stop' || kind === 'kill') this.#running.delete(operation.name);
    if (kind === 'rm') this.#drop(operation.name);
    if (kind === 'prune-containers' || kind === 'prune-system')
      this.#drop(...this.containers.filter((name) => !this.#running.has(name)));
  }

  #drop(...names: readonly (string | undefined)[]): void {
    for (const name of names) if (name !== undefined) this.#running.delete(name);
    for (const list of [this.tags, this.ids, this.containers]) {
      const kept = list.filter((name) => !names.includes(name));
      list.splice(0, list.length, ...kept);
    }
  }
}

function wholeDeck(): Operation['kind'][] {
  const kinds: readonly Operation['kind'][] = [
    ...(['load', 'import', 'tag', 'rmi', 'run', 'rm', 'commit', 'save', 'look'] as const),
    ...(['prune-images', 'prune-containers', 'prune-system', 'start', 'stop', 'kill'] as const),
  ];
  return kinds.flatMap((kind) => Array.from({ length: WEIGHTS[kind] }, () => kind));
}

/** The name that is there when the operation is done. */
function nameMadeBy(operation: Operation): string | undefined {
  if (operation.kind === 'tag') return operation.target;
  if (operation.kind === 'run') return operation.name;
  return operation.kind === 'import' || operation.kind === 'commit' ? operation.tag : undefined;
}

/** The name that must be there before. */
function nameUsedBy(operation: Operation): string | undefined {
  switch (operation.kind) {
    case 'tag':
      return operation.source;
    case 'run':
    case 'save':
      return operation.image;
    case 'commit':
      return operation.container;
    case 'rmi':
    case 'rm':
    case 'look':
    case 'start':
    case 'stop':
    case 'kill':
      return operation.name;
    default:
      return undefined;
  }
}

function moveToEnd(list: string[], name: string): void {
  const at = list.indexOf(name);
  if (at >= 0) list.splice(at, 1);
  list.push(name);
}
