/** The question whether machines start under KVM: how it is asked, of a program in QEMU's place, and what is remembered of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chooseAccelerator, knownAnswer, withAnswer } from '../../src/lab/accelerator.ts';
import { LabCache } from '../../src/lab/cache.ts';
import { PROBE_ANSWER } from '../../src/lab/guest-init.ts';
import { descriptors } from '../../src/lab/qemu.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { fakeQemu } from './fake-machine.ts';

const PLACE = 'boot-1 QEMU emulator version 7.2';
const [one, other] = ['debian-6.1', 'own-6.6'].map((name) => ({
  kernel: `/cache/kernel-${name}/vmlinuz`,
  initramfs: `/cache/initramfs-${name}/initramfs.cpio`,
}));
const HOUR = 3_600_000;

describe('an answer of the probe', () => {
  assert.ok(one !== undefined && other !== undefined);

  test('that is yes holds for every kernel, until the machine or QEMU changes', () => {
    const yes = withAnswer(withAnswer('', PLACE, other, false, 5), PLACE, one, true, 10);
    assert.equal(knownAnswer(yes, PLACE, one, 11), 'kvm');
    assert.equal(knownAnswer(yes, PLACE, other, 100 * HOUR), 'kvm');
    assert.equal(knownAnswer(yes, 'boot-2 QEMU', one, 11), undefined);
  });

  test('that is no holds for its kernel alone, and for an hour', () => {
    const no = withAnswer('', PLACE, other, false, 10);
    assert.equal(knownAnswer(no, PLACE, other, HOUR), 'tcg');
    assert.equal(knownAnswer(no, PLACE, one, 11), undefined);
    assert.equal(knownAnswer(no, PLACE, other, HOUR + 10), undefined);
    // A clock that was set back.
    assert.equal(knownAnswer(no, PLACE, other, 9), undefined);
    const both = withAnswer(withAnswer(no, PLACE, one, false, 20), PLACE, other, false, HOUR);
    assert.equal(both.split('\n').length, 4);
    assert.deepEqual(
      [one, other].map((probe) => knownAnswer(both, PLACE, probe, HOUR + 30)),
      [undefined, 'tcg'],
    );
  });

  test('is asked for anew where none, or an older form of it, is there', () => {
    for (const text of ['', `${PLACE}\ntcg\n`, 'nonsense'])
      assert.equal(knownAnswer(text, PLACE, one, 1), undefined);
  });
});

describe('what a machine is accelerated by', () => {
  assert.ok(one !== undefined && other !== undefined);
  const environment = { ...process.env };
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lab-kvm-'));
    delete process.env.TSENGINE_LAB_ACCELERATOR;
  });
  after(() => {
    process.env = environment;
    rmSync(folder, { recursive: true });
  });

  /** Asks with a QEMU that does this; tells what was chosen, how often it was started, and what was said. */
  async function choose(
    program: string,
    {
      name = 'cache',
      device = '/dev/null',
      patience = 60_000,
      signal,
    }: { name?: string; device?: string; patience?: number; signal?: AbortSignal } = {},
  ) {
    const starts = join(folder, 'starts');
    writeFileSync(starts, '');
    const before = `import os, sys, time\nopen('${starts}', 'a').write(' '.join(sys.argv) + '\\n')\n`;
    using qemu = fakeQemu(before + program);
    process.env.TSENGINE_LAB_QEMU = qemu.path;
    const said: string[] = [];
    const context = { progress: (line: string) => said.push(line), signal };
    const cache = new LabCache(context, join(folder, name));
    assert.ok(one !== undefined);
    const chosen = await chooseAccelerator(one, cache, context, { device, patience });
    mkdirSync(cache.folder, { recursive: true });
    const left = readdirSync(cache.folder).filter((entry) => entry.startsWith('machine-'));
    assert.deepEqual(left, []);
    return { chosen, started: readFileSync(starts, 'utf8').trim().split('\n').filter(Boolean), said };
  }
  const answer = `os.write(${descriptors.console}, b'SeaBIOS (version 1)\\r\\nBooting from ROM..\\x1bc\\x1b[?7l\\x1b[2J${PROBE_ANSWER}\\r\\n')\n`;

  test('is KVM where a machine says that it has started, and that is asked once', async () => {
    const asked = await choose(answer);
    assert.equal(asked.chosen, 'kvm');
    assert.deepEqual(asked.said, ['looking whether machines start under KVM']);
    assert.match(
      asked.started.join(),
      /-accel kvm .*-kernel \/cache\/kernel-debian-6\.1\/vmlinuz .*lab\.probe/,
    );
    const again = await choose(answer);
    assert.deepEqual([again.chosen, again.started, again.said], ['kvm', [], []]);
  });

  test('is TCG where it says something else, or hangs', async () => {
    const other = `os.write(${descriptors.console}, b'Kernel panic - not syncing\\n')\n`;
    assert.equal((await choose(other, { name: 'other' })).chosen, 'tcg');
    assert.deepEqual((await choose(answer, { name: 'other' })).started, [], 'a no is kept');
    assert.equal((await choose('time.sleep(1000)\n', { name: 'hanging', patience: 500 })).chosen, 'tcg');
  });

  test('is TCG without a machine where KVM cannot be used, and what the variable says', async () => {
    const none = await choose(answer, { name: 'none', device: '/nonexistent/kvm' });
    assert.deepEqual([none.chosen, none.started], ['tcg', []]);
    process.env.TSENGINE_LAB_ACCELERATOR = 'kvm';
    const told = await choose(answer, { name: 'none', device: '/nonexistent/kvm' });
    assert.deepEqual([told.chosen, told.started], ['kvm', []]);
    delete process.env.TSENGINE_LAB_ACCELERATOR;
  });

  test('is what the machine says also where that cannot be noted', async () => {
    using full = makeFilesystem('tmpfs');
    execFileSync('mount', ['-o', 'remount,size=1m', full.path]);
    symlinkSync(full.path, join(folder, 'full'));
    const filling = `with open('${full.path}/filler', 'wb', 0) as filler:
  try:
    while True: filler.write(b'x' * 4096)
  except OSError: pass
`;
    assert.equal((await choose(filling + answer, { name: 'full' })).chosen, 'kvm');
    assert.deepEqual(readdirSync(full.path).sort(), ['filler', 'locks']);
  });

  test('is not asked any more when the caller wants an end', async () => {
    const reason = new Error('enough');
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 200);
    const asked = choose('time.sleep(1000)\n', { name: 'aborted', signal: abort.signal });
    await assert.rejects(asked, (error: Error) => error === reason || error.cause === reason);
    assert.deepEqual(
      readdirSync(join(folder, 'aborted')).filter((name) => name !== 'locks'),
      [],
    );
  });
});
