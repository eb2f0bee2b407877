/** What is tried of a filesystem has the answer that is known, on filesystems of which it differs: a probe that always says yes would be none. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { test } from 'node:test';
import { probeFeatures } from '../../src/lab/matrix/features.ts';
import type { Backing } from '../../src/lab/matrix/schema.ts';

/** Since Linux 6.8. */
const appends = (([major = 0, minor = 0]) => major > 6 || (major === 6 && minor >= 8))(
  release().split('.').map(Number),
)
  ? 'yes'
  : 'no';

/** Of overlayfs over a filesystem with `trusted.*` and `user.*` attributes. */
const OVERLAY = {
  d_type: 'yes',
  'native diff': 'yes',
  redirect_dir: 'yes',
  metacopy: 'yes',
  index: 'yes',
  xino: 'yes',
  volatile: 'yes',
  userxattr: 'yes',
  'lowerdir+': appends,
  '500 layers': 'yes',
  'copy_file_range across layers': 'yes',
};

async function answersOf(backing: Backing): Promise<Readonly<Record<string, string>>> {
  const [work, images] = ['work', 'images'].map((name) => mkdtempSync(`${tmpdir()}/ts-features-${name}-`));
  assert.ok(work !== undefined && images !== undefined);
  try {
    const listener = { tries: () => undefined, tried: () => undefined };
    const features = await probeFeatures(backing, { work, images }, listener);
    return Object.fromEntries(features.map(({ name, answer }) => [name, answer]));
  } finally {
    for (const path of [work, images]) rmSync(path, { recursive: true, force: true });
  }
}

test('xfs: all of overlayfs, and clones', async () => {
  const { 'project quota': _, 'idmapped mounts': __, ...answers } = await answersOf('xfs');
  assert.deepEqual(answers, { ...OVERLAY, reflink: 'yes' });
});

test('ext4: all of overlayfs, and no clones', async () => {
  const { 'project quota': _, 'idmapped mounts': __, ...answers } = await answersOf('ext4');
  assert.deepEqual(answers, { ...OVERLAY, reflink: 'no' });
});

test('btrfs: clones, and no project quotas', async () => {
  const answers = await answersOf('btrfs');
  assert.deepEqual([answers.reflink, answers['project quota']], ['yes', 'no']);
});

test('fuse: overlayfs takes it for lower directories alone', async () => {
  const answers = await answersOf('fuse');
  const { d_type: _, 'lowerdir+': __, ...needsUpper } = OVERLAY;
  for (const name of Object.keys(needsUpper)) assert.equal(answers[name], 'no', name);
  assert.equal(answers['lowerdir+'], appends);
});
