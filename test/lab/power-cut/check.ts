/** Opens what a power cut left, as the next command on the machine would, and says what is wrong with it. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEngine } from '../../../src/engine/engine.ts';
import { errorMessage } from '../../../src/errors.ts';
import { loopBackingFiles, unmountBelow } from '../../helpers/loop.ts';
import { recount } from '../../helpers/recount.ts';
import type { BlockLog, Cut } from './block-log.ts';
import { type Look, look, lost } from './look.ts';

/** What was recorded in the machine. */
export interface Recording {
  readonly filesystem: string;
  readonly driver: string;
  readonly log: BlockLog;
  /** What the root held at each mark. */
  readonly looks: readonly Look[];
  /** Bytes of the device. */
  readonly size: number;
}

/** Lists, reads and saves all there is; throws when something is not whole. */
async function useAll(dataRoot: string, execRoot: string, driver: string): Promise<void> {
  const warnings: string[] = [];
  await using engine = await openEngine({
    dataRoot,
    execRoot,
    storageDriver: driver,
    warn: (message) => warnings.push(message),
  });
  const images = await engine.images.list({ all: true });
  const containers = await engine.containers.list({ all: true });
  await engine.info();
  for (const { Id } of images) for await (const _ of engine.images.save([Id]));
  for (const { Id } of containers) await engine.containers.inspect(Id);
  if (warnings.length > 0) throw new Error(`warned: ${warnings.join('; ')}`);
}

/** Uses a data root, and says what it holds. Throws what cannot be read, or not used. */
export type Looker = (dataRoot: string, execRoot: string) => Promise<Look>;

/** Uses it with the engine, and looks at it without. */
function lookAside(driver: string): Looker {
  return async (dataRoot, execRoot) => {
    await useAll(dataRoot, execRoot, driver);
    const counted = recount(dataRoot, execRoot, driver);
    if (counted.problems.length > 0) throw new Error(counted.problems.join('; '));
    return look(counted, dataRoot, driver);
  };
}

/** What has been lost of what was reported done, or is there in parts of what was under way; `undefined` when nothing is. */
function lostAt({ looks }: Recording, cut: Cut, found: Look): string | undefined {
  const at = Number.parseInt(cut.mark, 10);
  const done = looks[at];
  if (done === undefined) throw new Error(`nothing was noted at the mark ${cut.mark}`);
  return lost(found, done, looks[at + 1]);
}

/** Mounts the copy, and gives what is wrong with what is on it. */
async function faultOfCopy(
  recording: Recording,
  cut: Cut,
  { copy, mounted, execRoot }: Readonly<Record<'copy' | 'mounted' | 'execRoot', string>>,
  looker: Looker,
): Promise<string | undefined> {
  try {
    execFileSync('mount', ['-t', recording.filesystem, '-o', 'loop', copy, mounted], { stdio: 'pipe' });
    return lostAt(recording, cut, await looker(`${mounted}/data`, execRoot));
  } catch (error) {
    return errorMessage(error);
  } finally {
    unmountBelow(mounted);
    unmountBelow(execRoot);
    await untilDetached(copy);
    rmSync(execRoot, { recursive: true, force: true });
  }
}

/** How long others may keep a copy. Milliseconds, and between two looks. */
const [PATIENCE, LOOK_AGAIN] = [600_000, 50];

/**
 * Waits until the copy is unmounted everywhere: whoever made a mount namespace meanwhile took a mount of ours into it, and a copy that is
 * mounted while an older one is shows what the older one has.
 */
async function untilDetached(copy: string): Promise<void> {
  const isAttached = (): boolean => loopBackingFiles().some((file) => file.startsWith(copy));
  for (let waited = 0; isAttached(); waited += LOOK_AGAIN) {
    if (waited >= PATIENCE) throw new Error(`somebody keeps ${copy} mounted`);
    await sleep(LOOK_AGAIN);
  }
}

/** Writes to a copy of the durable part what else had reached the disk when the power was cut. */
function writeRest(log: BlockLog, cut: Cut, copy: string): void {
  const fd = openSync(copy, 'r+');
  try {
    for (const [nth, entry] of log.entries.slice(cut.durable, cut.entries).entries())
      if (!cut.lost.has(cut.durable + nth)) log.apply(entry, fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Cuts the power at each of these places, which are in the order of the log. `folder` takes the disks; a filesystem in memory is
 * fastest. Gives what is wrong.
 */
export async function checkCuts(
  recording: Recording,
  folder: string,
  cuts: readonly Cut[],
  looker = lookAside(recording.driver),
): Promise<readonly string[]> {
  const { log, size } = recording;
  const [disk, copy, mounted] = [`${folder}/disk`, `${folder}/copy`, `${folder}/mounted`];
  mkdirSync(mounted, { recursive: true });
  writeFileSync(disk, '');
  truncateSync(disk, size);
  const fd = openSync(disk, 'r+');
  const faults: string[] = [];
  // What is on the disk for good is written once; what else was, to the copy of each cut.
  let durable = 0;
  try {
    for (const [nth, cut] of cuts.entries()) {
      for (const entry of log.entries.slice(durable, cut.durable)) log.apply(entry, fd);
      durable = cut.durable;
      execFileSync('cp', ['--sparse=always', disk, copy]);
      writeRest(log, cut, copy);
      const at = { copy, mounted, execRoot: `${folder}/exec-${nth}` };
      const fault = await faultOfCopy(recording, cut, at, looker);
      if (fault === undefined) continue;
      faults.push(`${cut.kind}, ${cut.entries} writes, ${cut.lost.size} lost, after "${cut.mark}": ${fault}`);
    }
  } finally {
    closeSync(fd);
  }
  return faults;
}
