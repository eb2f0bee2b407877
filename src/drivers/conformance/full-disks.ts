/** Checks that a disk may be full at any call of a driver: it fails in one line, and cleans up by itself. */
import assert from 'node:assert/strict';
import { fsName, statfs } from '../../linux/statfs.ts';
import type { CreateOptions, GraphDriver } from '../driver.ts';
import { counted } from './counted.ts';
import { changingTar, leftovers, MOST_CALLS } from './crashes.ts';
import type { Job } from './job.ts';
import { described, imageLayer, inside } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { directory, write } from './trees.ts';

/**
 * Calls, as faults name them, that a full disk, a full pool, a quota or a kernel out of memory really fails; others are not asked in
 * vain. Where every change is a copy, changes of attributes are among them. What looks or counts is not.
 */
const FALLIBLE = new RegExp(
  `^(${[
    'open(at2?)?',
    'p?write',
    'mkdir(at)?',
    'mknodat',
    'symlink(at)?',
    'link(at)?',
    'rename(at2)?',
    'mount',
    'chdir',
    'f?truncate',
    'fallocate',
    'copy_file_range',
    'f?sync(fs)?',
    'f?ch(own|mod)(at)?',
    'futimens|utimensat',
    '[fl]?(set|remove)xattr',
    'ioctl_(ficlone|fsxattr|dm|loop|grow|block)|quotactl',
    'btrfs_(subvol_create|snap_create|snap_destroy|quota_ctl|qgroup_create|qgroup_limit)',
    'lzc_(create|clone|snapshot)',
    'mkfs[.].*|xfs_growfs|resize2fs',
  ].join('|')})$`,
);

/** On btrfs a deletion writes as all else does, and may find no space; others have a reserve for it, or need none. */
const DELETING = /^unlink(at)?$/;

type Call = 'applyDiff' | 'create' | 'createReadWrite' | 'get' | 'remove';

/** What the calls are tried on. */
interface Ground {
  readonly image: string;
  /** What is in it. */
  readonly expected: readonly string[];
  readonly tar: string;
  /** The options of a container that is limited. */
  readonly limited: CreateOptions;
}

/** A limit that a container on this image can have: where it has a filesystem of its own, one that is larger. */
async function limit(driver: GraphDriver, image: string): Promise<CreateOptions> {
  const { DeviceSize = '0' } = (await driver.metadata(image)) ?? {};
  return { storageOptions: { size: String(Number(DeviceSize) + 64 * 1024 * 1024) } };
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
    const ground = {
      image,
      expected: await described(driver, image),
      tar: changingTar(subject),
      limited: await limit(driver, image),
    };
    const deletionsFail = fsName(statfs(subject.home).magic) === 'btrfs';
    let tried = 0;
    for (const [name, count] of await callsOf(subject, call, ground)) {
      if (!FALLIBLE.test(name) && !(deletionsFail && DELETING.test(name))) continue;
      assert.ok(count < MOST_CALLS, `${count} calls of ${name}`);
      for (let nth = 1; nth <= count; nth++) {
        tried += 1;
        await failsCleanly(subject, call, ground, `${name}:${nth}:ENOSPC`);
      }
    }
    const makesNone = call === 'get' && !driver.capabilities.mounts;
    assert.equal(tried === 0, makesNone, `${tried} calls could fail: are their names known here?`);
  };
}

/** How often which calls are made when nothing fails. */
async function callsOf(subject: Subject, call: Call, ground: Ground): Promise<ReadonlyMap<string, number>> {
  const id = newId();
  await prepared(subject, call, ground, id);
  const { calls } = await counted(subject, jobOf(call, id, ground));
  if (call === 'get') await subject.driver.put(id);
  await subject.driver.remove(id);
  return calls;
}

function jobOf(call: Call, id: string, { image, tar, limited }: Ground): Job {
  switch (call) {
    case 'applyDiff':
      return { call, id, parent: image, tar };
    case 'create':
      return { call, id, parent: image };
    case 'createReadWrite':
      return { call, id, parent: image, options: limited };
    case 'get':
    case 'remove':
      return { call, id };
  }
}

/** What is there before the call. */
async function prepared({ driver }: Subject, call: Call, { image }: Ground, id: string): Promise<void> {
  if (call === 'create' || call === 'createReadWrite') return;
  await driver.create(id, image);
  // Mounted once before, because a mount may make folders of its own that stay.
  await inside(driver, id, () => {});
}

/** One call of a child fails: or it comes through, because it can do without. */
async function failsCleanly(subject: Subject, call: Call, ground: Ground, fault: string): Promise<void> {
  const { driver, home } = subject;
  const id = newId();
  await driver.cleanup();
  const without = leftovers(home);
  await prepared(subject, call, ground, id);
  const before = leftovers(home);
  const { status, errors } = await subject.elsewhere(jobOf(call, id, ground), { TSENGINE_FAULT: fault });
  if (status === 0) {
    if (call === 'get') await driver.put(id);
  } else {
    assert.match(errors, /no space left on device/, fault);
    if (call !== 'remove' && call !== 'applyDiff') assert.deepEqual(leftovers(home), before, fault);
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
}

export const fullChecks: readonly Check[] = [
  { name: 'create for which the disk is full at any call leaves nothing', slow: true, run: failed('create') },
  {
    name: 'create of a limited layer for which the disk is full at any call leaves nothing',
    slow: true,
    excused: ({ quota }) => (quota ? undefined : 'it refuses a limit before it makes anything'),
    run: failed('createReadWrite'),
  },
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
