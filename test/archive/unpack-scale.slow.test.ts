/** A million members take no more memory than a thousand; `npm test` takes a tenth of them. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { unpackLayer } from '../../src/archive/unpack.ts';
import { lstat } from '../../src/linux/stat.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { sized } from '../helpers/scope.ts';
import { dir, file, hardlink, layer, makeTarget, member } from './layer-tools.ts';

const MIB = 1024 * 1024;

/** Members of a few names again and again: directories with their times, files in them, links to those. */
async function* members(count: number): AsyncGenerator<Buffer> {
  const round = Buffer.concat(
    Array.from({ length: 100 }, (_, i) => {
      const inside = `directory-${i % 10}`;
      return [
        member({ ...dir(`${inside}/${i}`), mtime: { sec: i, nsec: 1 } }),
        ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => member(file(`${inside}/${i}/${n}`, ''))),
        member(hardlink(`${inside}/link-${i}`, `${inside}/${i}/1`)),
      ];
    }).flat(),
  );
  for (let done = 0; done < count; done += 1000) yield round;
}

/** Members of the layer, a multiple of 1 000. */
const COUNT = sized(1_000_000, 100_000);

for (const whiteouts of ['overlay', 'delete'] as const) {
  test(`${COUNT} members (${whiteouts})`, async (t) => {
    using filesystem = makeFilesystem('tmpfs');
    using target = makeTarget(filesystem.path);
    if (whiteouts === 'delete') await target.unpack(layer(file('lower')));
    // What Node and the two threads take at all.
    await unpackLayer(members(50_000), target.path, { whiteouts });
    const before = process.memoryUsage.rss();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 50);
    const started = performance.now();
    try {
      const { entries } = await unpackLayer(members(COUNT), target.path, { whiteouts });
      assert.equal(entries, COUNT);
    } finally {
      clearInterval(watch);
    }
    const grown = (most - before) / MIB;
    t.diagnostic(`${((performance.now() - started) / 1000).toFixed(0)} s, ${grown.toFixed(0)} MiB more`);
    assert.ok(grown < 100, `grew by ${grown.toFixed(0)} MiB`);
    assert.equal(readdirSync(target.path).length, whiteouts === 'delete' ? 11 : 10);
    assert.deepEqual(lstat(`${target.path}/directory-3/43`).mtime, { sec: 43, nsec: 1 });
  });
}
