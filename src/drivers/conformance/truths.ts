/** Checks that what a driver tells people, in `info` and in `inspect`, is so. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { fsName, statfs } from '../../linux/statfs.ts';
import { containerLayer, imageLayer, inside, mountOf } from './layers.ts';
import type { Check, Subject } from './suite.ts';
import { write } from './trees.ts';

/** What each row of `info` must agree with; those that are not here are text about the backend. */
const ROWS: Readonly<Record<string, (value: string, subject: Subject) => void | Promise<void>>> = {
  'Backing Filesystem': async (value, { driver, home }) => {
    if (driver.capabilities.ownFilesystems !== true) {
      assert.equal(value, fsName(statfs(home).magic));
      return;
    }
    const layer = await imageLayer(driver, undefined, () => {});
    const magic = await inside(driver, layer, (root) => fsName(statfs(root).magic));
    assert.equal(/^ext[234]$/.test(value) ? 'extfs' : value, magic);
    await driver.remove(layer);
  },
  'Supports d_type': (value, { home }) => {
    const types = fs.readdirSync(home, { withFileTypes: true }).map((entry) => entry.isDirectory());
    assert.equal(value, String(types.includes(true)));
  },
  'Native Overlay Diff': (value, { driver }) => assert.equal(value, String(driver.capabilities.nativeDiff)),
  'Root Dir': (value, { home }) => assert.equal(value, home),
  Dirs: async (value, { driver }) => assert.equal(value, String((await driver.list()).length)),
  'Zpool Health': (value) => assert.equal(value, 'ONLINE'),
  'Data file': (value) => assert.ok(fs.statSync(value).isBlockDevice()),
  'Metadata file': (value) => assert.ok(fs.statSync(value).isBlockDevice()),
  'Data loop file': (value) => assert.ok(fs.statSync(value).isFile()),
  'Metadata loop file': (value) => assert.ok(fs.statSync(value).isFile()),
};

/** A container that is mounted, and holds `b` over an image that holds `a`. */
interface Mounted {
  readonly path: string;
}

/** What each value of `inspect` must agree with. */
const DATA: Readonly<Record<string, (value: string, mounted: Mounted) => void>> = {
  LowerDir: (value) => {
    const names = value.split(':').flatMap((folder) => fs.readdirSync(folder));
    assert.deepEqual([names.includes('a'), names.includes('b')], [true, false]);
  },
  UpperDir: (value) => assert.deepEqual(fs.readdirSync(value), ['b']),
  WorkDir: (value) => assert.ok(fs.statSync(value).isDirectory()),
  MergedDir: (value, { path }) => assert.equal(value, path),
  Mountpoint: (value, { path }) => assert.equal(value, path),
  Dataset: (value, { path }) => assert.equal(mountOf(path)?.source.toString(), value),
  DeviceId: (value) => assert.match(value, /^[1-9]\d*$/),
  DeviceName: (value, { path }) => {
    const { major, minor } = mountOf(path) ?? {};
    assert.equal(fs.readFileSync(`/sys/dev/block/${major}:${minor}/dm/name`, 'utf8'), `${value}\n`);
  },
  DeviceSize: (value, { path }) => {
    const { total } = statfs(path);
    assert.ok(total <= Number(value) && total > Number(value) * 0.8, `${total} bytes in ${value}`);
  },
};

/** Rows that have nothing to be compared with. */
function mustBeText(label: string, value: string): void {
  for (const text of [label, value]) assert.match(text, /^[^\0\n]+$/);
}

export const truthChecks: readonly Check[] = [
  {
    name: 'what status says of the store is so, row by row',
    run: async (subject) => {
      await imageLayer(subject.driver, undefined, () => {});
      const rows = await subject.driver.status();
      assert.equal(new Set(rows.map(([label]) => label)).size, rows.length);
      for (const [label, value] of rows) {
        mustBeText(label, value);
        await ROWS[label]?.(value, subject);
      }
    },
  },
  {
    name: 'what metadata says of a mounted layer is so, and other layers have other values',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const [id, other] = [await containerLayer(driver, image), await containerLayer(driver, image)];
      await inside(driver, id, async (path) => {
        write(`${path}/b`, 'b');
        const data = Object.entries((await driver.metadata(id)) ?? {});
        const others = (await driver.metadata(other)) ?? {};
        assert.deepEqual(
          data.map(([key]) => key),
          Object.keys(others),
        );
        for (const [key, value] of data) {
          mustBeText(key, value);
          DATA[key]?.(value, { path });
          // Sizes, and what is below, are alike.
          if (!/Size$|^LowerDir$/.test(key)) assert.notEqual(value, others[key], key);
        }
      });
    },
  },
];
