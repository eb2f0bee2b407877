/** Checks that a disk may be full at any call of a driver: it fails in one line, and cleans up by itself. */
import assert from 'node:assert/strict';
import { changingTar, leftovers, MOST_CALLS } from './crashes.ts';
import type { Job } from './job.ts';
import { described, imageLayer, inside } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { directory, write } from './trees.ts';

/** Calls that a full disk or a kernel out of memory really fails; others are not asked in vain. */
const FALLIBLE = [
  'open',
  'openat',
  'write',
  'mkdir',
  'mkdirat',
  'symlink',
  'rename',
  'renameat2',
  'mount',
  'chdir',
];
/** Those that unpacking makes as well. */
const UNPACKING = ['linkat', 'symlinkat', 'pwrite', 'fallocate', 'fsetxattr', 'lsetxattr'];

type Call = 'applyDiff' | 'create' | 'get' | 'remove';

/** What the calls are tried on. */
interface Ground {
  readonly image: string;
  /** What is in it. */
  readonly expected: readonly string[];
  readonly tar: string;
}

/** Lets a child's calls fail one by one, with nothing killed. */
function failed(call: Call): Check['run'] {
  return async (subject) => {
    const { driver } = subject;
    const image = await imageLayer(driver, undefined, (root) => {
      directory(`${root}/dir`);
      write(`${root}/dir/file`, 'file');
    });
    await driver.remove(await imageLayer(driver, image, () => {}));
    const ground = { image, expected: await described(driver, image), tar: changingTar(subject) };
    for (const name of call === 'applyDiff' ? [...FALLIBLE, ...UNPACKING] : FALLIBLE) {
      for (let nth = 1; await failsCleanly(subject, call, ground, `${name}:${nth}:ENOSPC`); nth++) {
        assert.ok(nth < MOST_CALLS, `not done after ${MOST_CALLS} calls`);
      }
    }
  };
}

function jobOf(call: Call, id: string, { image, tar }: Ground): Job {
  switch (call) {
    case 'applyDiff':
      return { call, id, parent: image, tar };
    case 'create':
      return { call, id, parent: image };
    case 'get':
    case 'remove':
      return { call, id };
  }
}

/** One call of a child fails. Gives false when it came through, because it makes fewer calls of that name. */
async function failsCleanly(subject: Subject, call: Call, ground: Ground, fault: string): Promise<boolean> {
  const { driver, home } = subject;
  const id = newId();
  await driver.cleanup();
  const without = leftovers(home);
  // Mounted once before, because a mount may make folders of its own that stay.
  if (call !== 'create') await driver.create(id, ground.image).then(() => inside(driver, id, () => {}));
  const before = leftovers(home);
  const { status, errors } = await subject.elsewhere(jobOf(call, id, ground), { TSENGINE_FAULT: fault });
  if (status === 0) {
    if (call === 'get') await driver.put(id);
  } else {
    assert.match(errors, /no space left on device/);
    if (call === 'create' || call === 'get') assert.deepEqual(leftovers(home), before, fault);
    // Removed in one step, or not.
    if (call === 'remove' && (await driver.exists(id)))
      assert.deepEqual(await described(driver, id), ground.expected, fault);
    assert.deepEqual(await described(driver, ground.image), ground.expected, fault);
  }
  // What was renamed away and not deleted is swept by the next start.
  const later = call === 'remove' ? await subject.open() : driver;
  await later.remove(id);
  assert.equal(await later.exists(id), false);
  assert.deepEqual(leftovers(home), without, fault);
  return status !== 0;
}

export const fullChecks: readonly Check[] = [
  { name: 'create for which the disk is full at any call leaves nothing', slow: true, run: failed('create') },
  {
    name: 'get for which the disk is full at any call leaves nothing mounted',
    slow: true,
    run: failed('get'),
  },
  {
    name: 'apply for which the disk is full at any call leaves a layer that can be removed',
    slow: true,
    run: failed('applyDiff'),
  },
  {
    name: 'remove for which the disk is full at any call leaves a layer whole or not there',
    slow: true,
    run: failed('remove'),
  },
];
