/** Which npm packages go into a machine from an installed package, wherever npm or pnpm has put them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runtimePackages } from '../../src/lab/code-disk.ts';
import { ADDON, LAYOUTS, layOut, NEEDED } from './package-layout.ts';

let folder = '';
before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lab-code-')));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, path: string): void {
  mkdirSync(path);
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name }));
}

describe('the packages that a machine needs', () => {
  for (const layout of LAYOUTS)
    test(`are found as ${layout} lays them out, and are no links`, () => {
      const found = runtimePackages(layOut(join(folder, layout), layout, put));
      assert.deepEqual(
        found.map(({ name }) => name),
        NEEDED,
      );
      for (const { name, folder: path } of found) {
        assert.equal(realpathSync(path), path);
        assert.ok(path.endsWith(`/${name}`), path);
      }
    });

  test('are named where one is missing', () => {
    const place = layOut(join(folder, 'missing'), 'npm', put);
    rmSync(join(dirname(place), ADDON), { recursive: true });
    assert.throws(() => runtimePackages(place), {
      code: 'Unavailable',
      message:
        /^the lab needs the npm package @koromix\/koffi-linux-x64 for its machines, and it is neither in /,
    });
  });
});
