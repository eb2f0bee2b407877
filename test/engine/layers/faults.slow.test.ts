/**
 * Every call that writes fails in turn, once or from then on, as on a full or broken disk. The command says one line and
 * fails, or has done its work; the store is whole either way, with nothing left over.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { runChild, storeState, testRoot } from '../../helpers/engine.ts';
import { dockerArchive, makeImage, manyLayers } from '../../helpers/images.ts';

/** Calls that can find a disk full or broken. */
const WRITING =
  /^(open|openat|write|fsync|syncfs|mkdir|mkdirat|rename|renameat2|symlinkat|symlink|linkat|mknodat|lsetxattr)$/;
const IMAGE = makeImage(manyLayers(2));

describe('a disk that is full or broken', () => {
  for (const action of ['ENOSPC', 'EIO', 'EDQUOT']) {
    for (const andAfter of [false, true]) {
      test(`load: ${action} at each call${andAfter ? ' and at all after it' : ''}`, async () => {
        using root = testRoot('overlay2', {});
        const archive = `${root.base}/a.tar`;
        writeFileSync(archive, dockerArchive([{ image: IMAGE, tags: ['a:1'] }]));
        const pristine = `${root.base}/pristine`;
        await (await root.open())[Symbol.asyncDispose]();
        cpSync(root.dataRoot, pristine, { recursive: true });
        const log = `${root.base}/log`;
        writeFileSync(log, '');
        assert.equal((await runChild(root, ['load', archive], { log })).code, 0);
        const counts = new Map<string, number>();
        for (const call of readFileSync(log, 'utf8').trim().split('\n'))
          counts.set(call, (counts.get(call) ?? 0) + 1);
        const targets = [...counts].filter(([call]) => WRITING.test(call));
        assert.ok(targets.length >= 5, targets.join());
        for (const [call, count] of targets) {
          for (let nth = 1; nth <= count; nth += andAfter || action !== 'ENOSPC' ? 4 : 1) {
            rmSync(root.dataRoot, { recursive: true });
            cpSync(pristine, root.dataRoot, { recursive: true });
            const fault = `${call}:${nth}${andAfter ? '+' : ''}:${action}`;
            const { code, stderr } = await runChild(root, ['load', archive], { fault });
            if (code !== 0) assert.match(stderr, /^[^\n]+\n$/, `${fault}: one line`);
            await using engine = await root.open();
            const images = await engine.images.list({ all: true });
            const state = storeState(root.dataRoot, 'overlay2');
            // When nothing can be written any more, what was done cannot be undone: then the image is there, whole.
            const expected = code === 0 || (andAfter && images.length === 1) ? 1 : 0;
            assert.deepEqual(
              [images.length, state.layers.length, state.driverLayers.length],
              [expected, 2 * expected, 2 * expected],
              `${fault}: ${stderr}`,
            );
            assert.deepEqual([state.temporary, state.leases], [[], []], fault);
          }
        }
      });
    }
  }
});
