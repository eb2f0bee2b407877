/**
 * Checks that any process may die at any instruction: a child is killed before its first, second, third … system call
 * until one comes through, and what it leaves is looked at each time.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import type { Job } from './job.ts';
import { containerLayer, described, imageLayer, inside, isMounted } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { tarOf } from './tar.ts';
import { directory, write } from './trees.ts';

/** Most calls that one job of these is thought to make; more is a mistake in the driver or here. */
export const MOST_CALLS = 400;

/** Kills a child before each of its calls in turn, with a fresh job each time, and lets `look` judge. */
async function killAtEachCall(
  subject: Subject,
  step: number,
  prepare: () => Promise<Job>,
  look: (job: Job) => Promise<void>,
): Promise<void> {
  for (let nth = 1; nth < MOST_CALLS; nth += step) {
    const job = await prepare();
    const { status } = await subject.elsewhere(job, { TSENGINE_FAULT: `*:${nth}:kill` });
    await look(job);
    if (status === 0) return;
    assert.equal(status, undefined, `ended with status ${status} instead of being killed at call ${nth}`);
  }
  assert.fail(`not done after ${MOST_CALLS} calls`);
}

/** What is left in the store, but for folders that say how the driver works. */
export function leftovers(home: string): string[] {
  return fs
    .readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== '.tsengine/lock');
}

/** A layer that changes what is below it, as a tar in a file of the subject's. */
export function changingTar({ scratch }: Subject): string {
  const path = `${scratch}/${newId()}.tar`;
  const tar = tarOf([
    { name: 'dir/', type: 'directory' },
    { name: 'dir/.wh.file' },
    { name: 'dir/new', text: 'new' },
    { name: 'dir/again', type: 'hardlink', target: 'dir/new' },
    { name: 'link', type: 'symlink', target: 'dir' },
    { name: 'top', text: 'replaced' },
  ]);
  fs.writeFileSync(path, tar);
  return path;
}

function idOf(job: Job): string {
  return 'id' in job ? job.id : '';
}

function killed(call: 'applyDiff' | 'create' | 'remove' | 'get' | 'put', step: number): Check['run'] {
  return async (subject) => {
    const { driver, home } = subject;
    const base = await imageLayer(driver, undefined, (root) => {
      directory(`${root}/dir`);
      write(`${root}/dir/file`, 'file');
    });
    const image = await imageLayer(driver, base, (root) => write(`${root}/top`, 'top'));
    // The parents' marks that they have children are made once and stay.
    await driver.remove(await imageLayer(driver, image, () => {}));
    // A backend may leave a new layer mounted, counted by nobody, until somebody uses it.
    await driver.cleanup();
    const before = leftovers(home);
    const expected = await described(driver, image);
    const tar = changingTar(subject);
    const prepare = async (): Promise<Job> => {
      const id = newId();
      if (call === 'create') return { call, id, parent: image };
      await driver.create(id, image);
      if (call === 'put') await driver.get(id);
      if (call === 'applyDiff') return { call, id, parent: image, tar };
      return { call, id };
    };
    const look = async (job: Job): Promise<void> => {
      const id = idOf(job);
      const started = await subject.open();
      if (call === 'get' || call === 'put' || call === 'applyDiff') await started.cleanup();
      // What comes from a tar may be there in part, as it is removed then anyway; what is below it is whole.
      if (call === 'applyDiff') assert.deepEqual(await described(started, image), expected);
      else if (await started.exists(id)) {
        const point = (await inside(started, id, (root) => root)) ?? '';
        assert.deepEqual(await described(started, id), expected, 'a layer in pieces');
        assert.equal(isMounted(point), false, 'a mount that nobody has');
      }
      await started.remove(id);
      assert.equal(await started.exists(id), false);
      assert.deepEqual(leftovers(home), before, 'something was left');
    };
    await killAtEachCall(subject, step, prepare, look);
  };
}

export const crashChecks: readonly Check[] = [
  {
    name: 'killed in create at every seventh system call: a layer whole or not there',
    lengthy: true,
    run: killed('create', 7),
  },
  {
    name: 'killed in remove at every seventh system call: a layer whole or not there',
    lengthy: true,
    run: killed('remove', 7),
  },
  {
    name: 'killed in apply at every seventeenth system call: the layer can be removed, and what is below it is whole',
    lengthy: true,
    run: killed('applyDiff', 17),
  },
  { name: 'killed in create at every system call', slow: true, run: killed('create', 1) },
  { name: 'killed in remove at every system call', slow: true, run: killed('remove', 1) },
  { name: 'killed in apply at every system call', slow: true, run: killed('applyDiff', 1) },
  { name: 'killed in get at every system call', slow: true, run: killed('get', 1) },
  { name: 'killed in put at every system call', slow: true, run: killed('put', 1) },
  {
    name: 'cleanup unmounts what a killed process left, and twice is as good as once',
    lengthy: true,
    run: async (subject) => {
      const image = await imageLayer(subject.driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = await containerLayer(subject.driver, image);
      const { output } = await subject.elsewhere({ call: 'get', id });
      await subject.elsewhere({ call: 'get', id });
      await subject.driver.cleanup();
      assert.equal(isMounted(output), false);
      await subject.driver.cleanup();
      await inside(subject.driver, id, (root) => assert.equal(fs.readFileSync(`${root}/a`, 'utf8'), 'a'));
      assert.equal(isMounted(output), false);
      await subject.driver.remove(id);
      await subject.driver.remove(`${id}-init`);
    },
  },
];
