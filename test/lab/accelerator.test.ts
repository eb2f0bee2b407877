/** What is remembered of the question whether machines start under KVM. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { knownAnswer, withAnswer } from '../../src/lab/accelerator.ts';

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
