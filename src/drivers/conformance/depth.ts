/** Checks on many layers. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { assertFails, chain, collect, containerLayer, inside, streamOf } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { type Member, namesOf } from './tar.ts';

/** Each layer adds a file, replaces one that all have, and deletes the one from two layers below. */
function members(index: number): Member[] {
  const own = [
    { name: `layer-${index}`, text: `${index}` },
    { name: 'top', text: `${index}` },
  ];
  return index < 2 ? own : [...own, { name: `.wh.layer-${index - 2}` }];
}

/** What is seen over `count` of them. */
function expected(count: number): string[] {
  return [...new Set([`layer-${Math.max(0, count - 2)}`, `layer-${count - 1}`, 'top'])].sort();
}

async function overLayers({ driver }: Subject, count: number): Promise<void> {
  const ids = await chain(driver, count, members);
  const image = ids.at(-1);
  const container = newId();
  await driver.createReadWrite(container, image);
  await inside(driver, container, (root) => {
    assert.deepEqual(fs.readdirSync(root).sort(), expected(count));
    assert.equal(fs.readFileSync(`${root}/top`, 'utf8'), String(count - 1));
    fs.writeFileSync(`${root}/top`, 'container');
    const line = fs
      .readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((one) => one.includes(container));
    // Programs read the file with buffers of 64 KiB, and one line must not take a good part of that.
    assert.ok((line ?? '').length < 8192, `a line of ${line?.length} bytes in mountinfo`);
  });
  const tar = await collect(driver.diff(container, image));
  assert.deepEqual(namesOf(tar), ['top']);
  const copy = newId();
  await driver.create(copy, image);
  await driver.applyDiff(copy, image, streamOf(tar));
  assert.equal(await inside(driver, copy, (root) => fs.readFileSync(`${root}/top`, 'utf8')), 'container');
  for (const id of [copy, container, ...ids.reverse()]) await driver.remove(id);
  assert.ok(readMountInfo().every((entry) => !entry.mountPoint.includes(container)));
}

function layers(count: number, much: Pick<Check, 'slow' | 'lengthy'> = {}): Check {
  return {
    name: `a container stands on ${count} layer${count === 1 ? '' : 's'}`,
    ...much,
    excused: ({ maxParents }) =>
      maxParents !== undefined && maxParents < count ? `at most ${maxParents} layers` : undefined,
    run: (subject) => overLayers(subject, count),
  };
}

export const depthChecks: readonly Check[] = [
  ...[1, 2].map((count) => layers(count)),
  ...[64, 127, 128].map((count) => layers(count, { lengthy: true })),
  layers(500, { slow: true }),
  {
    name: 'one layer more than the driver takes is refused in one line',
    slow: true,
    excused: ({ maxParents }) => (maxParents === undefined ? 'it has no limit' : undefined),
    run: async ({ driver }) => {
      const most = driver.capabilities.maxParents ?? 0;
      const ids = await chain(driver, most + 1, () => []);
      const id = newId();
      await assertFails(driver.createReadWrite(id, ids.at(-1)), 'InvalidParameter', /max depth exceeded/);
      assert.equal(await driver.exists(id), false);
      for (const one of ids.reverse()) await driver.remove(one);
    },
  },
  {
    name: 'a container on 40 layers with an init layer sees all of them and changes none',
    run: async ({ driver }) => {
      const ids = await chain(driver, 40, members);
      const container = await containerLayer(driver, ids.at(-1));
      await inside(driver, container, (root) => {
        assert.deepEqual(fs.readdirSync(root).sort(), expected(40));
        fs.rmSync(`${root}/layer-39`);
      });
      await inside(driver, ids.at(-1) ?? '', (root) => {
        assert.deepEqual(fs.readdirSync(root).sort(), expected(40));
      });
    },
  },
];
