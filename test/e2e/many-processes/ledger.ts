/**
 * What must be there at the end, and what must not, after operations that overlapped in any order.
 *
 * An operation is a claim about a thing (this name exists, this container exists, this image is gone). The claim stands
 * unless another operation that might undo it ended after it began. Those that failed or were killed may have undone
 * something all the same, and claim nothing.
 */
import type { Recount } from '../../helpers/recount.ts';
import type { Carried, Operation } from './operation.ts';
import type { Archive } from './world.ts';

function isDone(one: Carried): boolean {
  return one.ending.how === 'done';
}

function isPrune({ operation }: Carried): boolean {
  return operation.kind === 'prune-images' || operation.kind === 'prune-system';
}

/** Names that the operation gives, and to what where that is known. */
function tagsGiven(one: Carried, archives: readonly Archive[]): ReadonlyMap<string, string | undefined> {
  const { operation, ending } = one;
  const made = ending.how === 'done' ? ending.said.made : undefined;
  switch (operation.kind) {
    case 'load':
      return archives.find(({ file }) => file === operation.archive)?.tags ?? new Map();
    case 'tag':
      return new Map([[full(operation.target), isId(operation.source) ? operation.source : undefined]]);
    case 'import':
    case 'commit':
      return operation.tag === undefined ? new Map() : new Map([[full(operation.tag), made]]);
    default:
      return new Map();
  }
}

function isId(name: string): boolean {
  return name.startsWith('sha256:');
}

function full(name: string): string {
  return name.includes(':') ? name : `${name}:latest`;
}

/** Whether the operation may take the name away, or the image with all its names. */
function mayUntag({ operation }: Carried, tag: string): boolean {
  if (operation.kind === 'prune-images' || operation.kind === 'prune-system') return operation.all;
  return operation.kind === 'rmi' && (isId(operation.name) || full(operation.name) === tag);
}

/** Whether the operation may remove an image that has no name. */
function mayDelete(one: Carried): boolean {
  return isPrune(one) || one.operation.kind === 'rmi';
}

function mayRemove({ operation }: Carried, container: string): boolean {
  if (operation.kind === 'prune-containers' || operation.kind === 'prune-system') return true;
  return operation.kind === 'rm' && operation.name === container;
}

/** The ids that an operation makes images of, or may have. */
function imagesMade({ operation, ending }: Carried, archives: readonly Archive[]): readonly string[] {
  if (operation.kind === 'load') return archives.find(({ file }) => file === operation.archive)?.images ?? [];
  return ending.how === 'done' && ending.said.made !== undefined ? [ending.said.made] : [];
}

/** Compares what was said with what is there; one line for each that does not fit. */
export function broken(
  carried: readonly Carried[],
  counted: Recount,
  archives: readonly Archive[],
): string[] {
  const problems: string[] = [];
  const undone = (claim: Carried, undoes: (other: Carried) => boolean): boolean =>
    carried.some((other) => other !== claim && other.to >= claim.from && undoes(other));
  const say = (one: Carried, what: string): void => {
    problems.push(
      `${JSON.stringify(one.operation)} (${one.from.toFixed(0)} to ${one.to.toFixed(0)} ms): ${what}`,
    );
  };
  const sleepers = new Set(carried.flatMap(({ operation }) => sleeperOf(operation)));
  const givers = (tag: string): Carried[] => carried.filter((one) => tagsGiven(one, archives).has(tag));

  for (const claim of carried.filter(isDone)) {
    for (const tag of tagsGiven(claim, archives).keys()) {
      const mayBeGone = undone(claim, (other) => mayUntag(other, tag));
      if (!counted.tags.has(tag) && !mayBeGone) say(claim, `there is no ${tag}`);
    }
    for (const id of imagesMade(claim, archives)) {
      if (!counted.images.has(id) && !undone(claim, mayDelete)) say(claim, `there is no image ${id}`);
    }
    checkRemovals(claim, counted, { undone, say, archives });
    checkContainers(claim, counted, { undone, say, archives });
    checkRunning(claim, counted, sleepers, { undone, say, archives });
  }
  for (const [tag, id] of counted.tags) {
    const possible = givers(tag).filter(
      (one) => !carried.some((other) => isDone(other) && other.from > one.to && givers(tag).includes(other)),
    );
    const ids = possible.map((one) => tagsGiven(one, archives).get(tag));
    if (!ids.includes(id) && !ids.includes(undefined))
      problems.push(`${tag} is ${id}, not ${ids.join(' or ')}`);
  }
  return problems;
}

interface Rules {
  undone(claim: Carried, undoes: (other: Carried) => boolean): boolean;
  say(one: Carried, what: string): void;
  readonly archives: readonly Archive[];
}

/** What was reported as removed is not there. */
function checkRemovals(claim: Carried, counted: Recount, { undone, say, archives }: Rules): void {
  if (claim.ending.how !== 'done') return;
  for (const tag of claim.ending.said.untagged) {
    const isBack = undone(claim, (other) => tagsGiven(other, archives).has(tag));
    if (counted.tags.has(tag) && !isBack) say(claim, `${tag} is still there`);
  }
  for (const id of claim.ending.said.deleted) {
    const isBack = undone(claim, (other) => imagesMade(other, archives).includes(id));
    if (counted.images.has(id) && !isBack) say(claim, `${id} is still there`);
  }
}

function makesContainer({ kind }: Operation): boolean {
  return kind === 'run';
}

/** Containers that were kept are there, and the others are not. */
function checkContainers(claim: Carried, counted: Recount, { undone, say }: Rules): void {
  const { operation } = claim;
  const names = new Set([...counted.containers.values()].map(({ name }) => name.replace(/^\//, '')));
  if (makesContainer(operation) && operation.kind === 'run') {
    if (operation.how === 'rm' && names.has(operation.name)) say(claim, 'the container is still there');
    const mayBeGone = operation.how === 'rm' || undone(claim, (other) => mayRemove(other, operation.name));
    if (!names.has(operation.name) && !mayBeGone) say(claim, 'the container is not there');
  }
  if (operation.kind === 'rm' && names.has(operation.name)) say(claim, 'the container is still there');
}

/** The name of a container that runs until somebody ends it. */
function sleeperOf(operation: Operation): string[] {
  return operation.kind === 'run' && operation.how === 'detach' ? [operation.name] : [];
}

/** Whether the operation may let the container run. */
function mayStart({ operation }: Carried, container: string): boolean {
  return (operation.kind === 'start' || operation.kind === 'run') && operation.name === container;
}

/** Whether the operation may end the container. */
function mayEnd({ operation }: Carried, container: string): boolean {
  const { kind } = operation;
  return (kind === 'stop' || kind === 'kill' || kind === 'rm') && operation.name === container;
}

/** What was started runs, as far as it does not end by itself, and what was stopped or killed does not. */
function checkRunning(
  claim: Carried,
  counted: Recount,
  sleepers: ReadonlySet<string>,
  { undone, say }: Rules,
): void {
  const { operation } = claim;
  const { kind } = operation;
  if (kind !== 'start' && kind !== 'run' && kind !== 'stop' && kind !== 'kill') return;
  const { name } = operation;
  const container = [...counted.containers.values()].find((one) => one.name.replace(/^\//, '') === name);
  if (container === undefined) return;
  if (kind === 'stop' || kind === 'kill') {
    if (container.running && !undone(claim, (other) => mayStart(other, name))) say(claim, 'it runs');
  } else if (sleepers.has(name) && !container.running && !undone(claim, (other) => mayEnd(other, name))) {
    say(claim, 'it does not run');
  }
}
