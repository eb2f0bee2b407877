/** Layers that old AUFS wrote, or somebody who wants trouble: they come back as they came, or are refused by every driver alike. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { openCli } from '../helpers/cli.ts';
import { dockerArchive, makeImage, type TarMember, tarOf } from '../helpers/images.ts';
import { withStore } from '../helpers/made-stores.ts';

const BASE = tarOf([
  { name: 'a/' },
  { name: 'b/' },
  { name: 'b/other', content: 'other' },
  { name: 'top', content: 'top' },
]);

/** What a layer above the base has. */
const TAKEN: Readonly<Record<string, readonly TarMember[]>> = {
  'a name with .. through a directory of the layer below': [{ name: 'a/../b/z', content: 'zed' }],
  'a whiteout with content': [{ name: '.wh.top', content: 'some data' }],
  'an opaque mark with content': [{ name: 'b/' }, { name: 'b/.wh..wh..opq', content: 'some data' }],
  "AUFS's files behind hard links": [
    { name: '.wh..wh.plnk/' },
    { name: '.wh..wh.plnk/12.3', content: 'linked'.repeat(400_000) },
    { name: 'one', type: 'hardlink', link: '.wh..wh.plnk/12.3' },
    { name: 'two', type: 'hardlink', link: '.wh..wh.plnk/12.3' },
  ],
  "AUFS's orphans and other bookkeeping": [
    { name: '.wh..wh.orph/' },
    { name: '.wh..wh.orph/left', content: 'left' },
    { name: '.wh..wh.aufs', content: 'aufs' },
  ],
};

const REFUSED: readonly TarMember[] = [
  { name: '.wh.top' },
  { name: 'shown', type: 'hardlink', link: '.wh.top' },
];

for (const driver of ['overlay2', 'vfs', 'aufs'])
  test(`odd layers on ${driver}`, async (t) => {
    await using cli = openCli(driver);
    for (const [name, members] of Object.entries(TAKEN))
      await t.test(`${name} comes back byte for byte`, () => {
        const layer = tarOf(members);
        const image = makeImage([BASE, layer]);
        cli.ok(['load', '-q'], { input: dockerArchive([{ image, tags: ['odd:1'] }]) });
        assert.ok(cli.runBytes(['save', 'odd:1']).includes(layer));
        cli.ok(['rmi', 'odd:1']);
      });
    await t.test('an opaque root hides all that is below, and nothing of its own layer', () => {
      const opaque = tarOf([{ name: 'top', content: 'new' }, { name: '.wh..wh..opq' }, { name: 'c/' }]);
      const again = tarOf([{ name: 'b/' }, { name: 'b/mine', content: '' }]);
      const image = makeImage([BASE, tarOf([{ name: '.wh.a' }]), opaque, again]);
      cli.ok(['load', '-q'], { input: dockerArchive([{ image, tags: ['odd:0'] }]) });
      const id = cli.ok(['create', '--network', 'none', 'odd:0', 'true']).trim();
      const names = execFileSync('tar', ['-t'], { input: cli.runBytes(['export', id]), encoding: 'utf8' });
      const ours = names
        .trim()
        .split('\n')
        .filter((name) => /^(\.\/)?(a|b|c|top)\b/.test(name));
      assert.deepEqual(ours.map((name) => name.replace(/^\.\//, '')).sort(), ['b/', 'b/mine', 'c/', 'top']);
      assert.ok(cli.runBytes(['save', 'odd:0']).includes(opaque));
      cli.ok(['rm', id]);
      cli.ok(['rmi', 'odd:0']);
    });
    await t.test('a hard link to a whiteout is refused, and leaves nothing', () => {
      const image = makeImage([BASE, tarOf(REFUSED)]);
      const input = dockerArchive([{ image, tags: ['odd:2'] }]);
      const { status, stderr } = cli.run(['load', '-q'], { input });
      assert.equal(status, 1);
      assert.match(
        stderr,
        /^tsengine: invalid layer: "shown": the target of its hard link, "\.wh\.top", does not exist\n$/,
      );
      assert.equal(cli.ok(['images', '-aq']), '');
    });
  });

test("a file's property of btrfs is no part of a layer, there as elsewhere", async () => {
  await using cli = await withStore();
  const xattrs = new Map([['btrfs.compression', Buffer.from('zlib')]]);
  const input = tarOf([{ name: 'file', content: 'x', xattrs }]);
  const { status, stderr } = cli.run(['import', '-', 'odd:3'], { input });
  assert.equal(status, 0);
  assert.match(stderr, /ignored extended attribute btrfs\.compression of "file": operation not supported\n$/);
  cli.ok(['driver', 'teardown', '--force', 'btrfs']);
});
