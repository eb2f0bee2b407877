/**
 * Crash-only: a process that loads, removes or tags is killed before each of its system calls in turn. After the next
 * command what was reported done is there and whole, what was not is gone or complete, and nothing is left over.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { runChild, storeState, type TestRoot, testRoot } from '../../helpers/engine.ts';
import { collect, digestOf, dockerArchive, makeImage, manyLayers, streamOf } from '../../helpers/images.ts';

const FIRST = makeImage(manyLayers(2));
/** Shares its first layer with the first image. */
const SECOND = makeImage([...FIRST.layers.slice(0, 1), ...manyLayers(1, 'second')]);

/** Opens the root, which recovers it, and checks that the store is sound. Gives the names of its images. */
async function assertSound(root: TestRoot, driver: string): Promise<string[]> {
  await using engine = await root.open();
  const images = await engine.images.list({ all: true });
  const needed = new Set<string>();
  for (const { Id, RepoTags } of images) {
    assert.notDeepEqual(RepoTags, ['<none>:<none>'], 'every image here has a name');
    const image = [FIRST, SECOND].find(({ id }) => id === Id);
    assert.ok(image !== undefined);
    for (const diffId of image.diffIds) needed.add(diffId);
    const saved = await collect(engine.images.save([RepoTags[0] ?? '']));
    assert.ok(saved.length > 0);
  }
  const state = storeState(root.dataRoot, driver);
  assert.deepEqual([state.temporary, state.leases], [[], []], 'nothing half done is left');
  assert.equal(state.layers.length, needed.size, 'layers of images and no others');
  assert.equal(state.driverLayers.length, needed.size, "the driver's as well");
  return images.flatMap(({ RepoTags }) => RepoTags).sort();
}

/** The number of system calls that the operation makes on a copy of the root. */
async function countCalls(root: TestRoot, operation: readonly string[]): Promise<number> {
  const log = `${root.base}/calls`;
  writeFileSync(log, '');
  const { code, stderr } = await runChild(root, operation, { log });
  assert.equal(code, 0, stderr);
  return readFileSync(log, 'utf8').split('\n').length - 1;
}

interface Case {
  readonly what: string;
  readonly operation: (root: TestRoot) => readonly string[];
  /** Tags before it, and after it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const CASES: readonly Case[] = [
  {
    what: 'load of an image that shares a layer',
    operation: ({ base }) => ['load', `${base}/second.tar`],
    before: ['first:1'],
    after: ['first:1', 'second:1'],
  },
  {
    what: 'rmi of an image that shares a layer',
    operation: () => ['remove', 'second:1'],
    before: ['first:1', 'second:1'],
    after: ['first:1'],
  },
  {
    what: 'tag',
    operation: () => ['tag', 'first:1', 'third:1'],
    before: ['first:1'],
    after: ['first:1', 'third:1'],
  },
];

async function prepared(driver: string, { before }: Case): Promise<TestRoot> {
  const root = testRoot(driver);
  writeFileSync(`${root.base}/first.tar`, dockerArchive([{ image: FIRST, tags: ['first:1'] }]));
  writeFileSync(`${root.base}/second.tar`, dockerArchive([{ image: SECOND, tags: ['second:1'] }]));
  await using engine = await root.open();
  for (const name of before) {
    const file = readFileSync(`${root.base}/${name.split(':')[0]}.tar`);
    await engine.images.load(streamOf(file));
  }
  return root;
}

// The stores' steps are the same on every driver: on the second one a sample is enough.
for (const [driver, stride] of [
  ['overlay2', 1],
  ['vfs', 7],
] as const) {
  describe(`killed on ${driver}`, () => {
    for (const one of CASES) {
      test(one.what, async () => {
        using root = await prepared(driver, one);
        const pristine = `${root.base}/pristine`;
        const reset = (): void => {
          rmSync(root.dataRoot, { recursive: true });
          cpSync(pristine, root.dataRoot, {
            recursive: true,
            preserveTimestamps: true,
            verbatimSymlinks: true,
          });
        };
        cpSync(root.dataRoot, pristine, {
          recursive: true,
          preserveTimestamps: true,
          verbatimSymlinks: true,
        });
        const calls = await countCalls(root, one.operation(root));
        assert.deepEqual(await assertSound(root, driver), one.after);
        assert.ok(calls > 5 && calls < 600, `${calls} calls`);
        let finished = 0;
        for (let nth = 1; nth <= calls; nth += stride) {
          reset();
          const { signal } = await runChild(root, one.operation(root), { fault: `*:${nth}:kill` });
          assert.equal(signal, 'SIGKILL', `killed at call ${nth}`);
          const names = await assertSound(root, driver);
          const isDone = names.join() === one.after.join();
          assert.ok(isDone || names.join() === one.before.join(), `call ${nth}: ${names}`);
          // Once the operation's effect is there it stays there: no later crash undoes it.
          assert.ok(finished === 0 || isDone, `call ${nth} undid what call ${finished} had done`);
          if (isDone && finished === 0) finished = nth;
        }
      });
    }
  });
}

test('the diff IDs of the images are what the crash tests think', () => {
  assert.equal(new Set([...FIRST.diffIds, ...SECOND.diffIds]).size, 3);
  assert.equal(digestOf(FIRST.config), FIRST.id);
});
