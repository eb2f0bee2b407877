import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kernelWords, qemuArguments } from '../../src/lab/qemu.ts';

const hardware = {
  accelerator: 'tcg',
  kernel: '/k/vmlinuz',
  initramfs: '/k/initramfs',
  kernelWords: ['lab.systemd'],
  memory: 512 * 2 ** 20,
  cpus: 2,
  disks: [
    { path: '/a,b/root', serial: 'lab-root', mode: 'snapshot' },
    { path: '/c', serial: 'lab-code', mode: 'read-only' },
    { path: '/d', serial: 'disk1', mode: 'read-write' },
  ],
} as const;

describe("QEMU's command line", () => {
  const words = qemuArguments(hardware);
  const after = (flag: string): string => words[words.indexOf(flag) + 1] ?? '';

  test('has memory, processors and the kernel with its words', () => {
    assert.equal(after('-m'), '512M');
    assert.equal(after('-smp'), '2');
    assert.match(after('-append'), /^console=ttyS0 .* panic=-1 .* lab\.systemd$/);
    assert.match(after('-accel'), /^tcg/);
  });

  test("has QEMU tell when the agent's port is closed, and the machine how many disks it has", () => {
    assert.match(words.find((word) => word.startsWith('virtserialport')) ?? '', /,id=agent-port$/);
    assert.match(after('-append'), / lab\.disks=3 /);
  });

  test('lets nobody write to what machines share', () => {
    const drives = words.filter((_, index) => words[index - 1] === '-drive');
    assert.match(drives[0] ?? '', /file=\/a,,b\/root,.*snapshot=on/);
    assert.match(drives[1] ?? '', /file=\/c,.*readonly=on/);
    assert.doesNotMatch(drives[2] ?? '', /snapshot|readonly/);
  });

  test('is refused a command line that its kernel would cut off', () => {
    const withheld = Array.from({ length: 300 }, (_, index) => `module${index}`);
    const tooMany = kernelWords([], withheld);
    assert.throws(() => qemuArguments({ ...hardware, kernelWords: tooMany }), {
      code: 'InvalidParameter',
      message: /^the machine's kernel would get a command line of \d+ bytes and takes 2047: withhold fewer/,
    });
  });

  test('uses the processor under KVM', () => {
    const kvm = qemuArguments({ ...hardware, accelerator: 'kvm' });
    assert.ok(kvm.includes('host') && kvm.includes('kvm'));
    const kernel = kvm[kvm.indexOf('-append') + 1] ?? '';
    assert.doesNotMatch(kernel, /norandmaps/, 'addresses are random where that costs nothing');
    assert.match(after('-append'), / norandmaps /);
  });
});

test('AppArmor is on with systemd, and modules can be withheld', () => {
  assert.ok(kernelWords(['systemd'], []).includes('apparmor=1'));
  assert.deepEqual(kernelWords([], ['overlay', 'btrfs']), ['apparmor=0', 'module_blacklist=overlay,btrfs']);
});
