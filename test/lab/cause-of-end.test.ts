/** Whether the kernel or this machine is to blame when QEMU ends by itself. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { causeOfEnd } from '../../src/lab/cause-of-end.ts';
import { runMachine } from '../../src/lab/machine.ts';
import { MachineError } from '../../src/lab/machine-error.ts';
import { isOfMachine } from '../../src/lab/matrix/machine-runs.ts';
import type { MachineHardware } from '../../src/lab/qemu.ts';

const hardware: MachineHardware = {
  ...{ accelerator: 'tcg', kernel: '', initramfs: '', kernelWords: [] },
  ...{ memory: 2 ** 31, cpus: 1, disks: [] },
};

/** What a machine comes to whose QEMU is this script, its console the shell's descriptor 3. */
async function endOf(script: string): Promise<MachineError> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-end-'));
  const before = process.env.TSENGINE_LAB_QEMU;
  try {
    process.env.TSENGINE_LAB_QEMU = join(folder, 'qemu');
    writeFileSync(process.env.TSENGINE_LAB_QEMU, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const work = { command: ['true'], timeoutMs: 600_000, bootTimeoutMs: 600_000 };
    await runMachine(hardware, work, folder);
  } catch (error) {
    if (error instanceof MachineError) return error;
    throw error;
  } finally {
    if (before === undefined) delete process.env.TSENGINE_LAB_QEMU;
    else process.env.TSENGINE_LAB_QEMU = before;
    rmSync(folder, { recursive: true });
  }
  return assert.fail('it did not end');
}

describe('a QEMU that ends by itself', () => {
  test('for want of this machine’s memory says nothing of the kernel, and what to do', async () => {
    const complaint = "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory";
    const unfit = await endOf(`echo "${complaint}" >&2; exit 1`);
    assert.equal(unfit.kind, 'host');
    assert.equal(
      unfit.message,
      `the machine ended before it started the command: this machine has not the 2048 MiB for it (${complaint}): give it less with --memory, or let fewer run at once (--jobs)`,
    );
    const killed = await endOf('kill -9 $$');
    assert.equal(killed.kind, 'host');
    assert.match(killed.message, /QEMU was ended by SIGKILL, as this machine's kernel does .* --memory, or/);
    assert.deepEqual([isOfMachine(unfit), isOfMachine(killed)], [false, false]);
  });

  test('with 0, as when it is told to, is the machine’s end, whatever it says', async () => {
    const quit = await endOf('echo "qemu-system-x86_64: terminating on signal 15 from pid 1" >&2; exit 0');
    assert.equal(quit.kind, 'no-boot');
    assert.equal(isOfMachine(quit), true);
  });

  test('after a panic is told in the words of the panic, however it ends', async () => {
    const panic = await endOf('echo "Kernel panic - not syncing: no init" >&3; kill -9 $$');
    assert.deepEqual([panic.kind, isOfMachine(panic)], ['panic', true]);
  });
});

test('a panic behind a RAM disk that could not be unpacked names that', () => {
  const lines = [
    'Initramfs unpacking failed: compression method gzip not configured',
    'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
  ];
  assert.match(
    causeOfEnd(lines, { code: 0, signal: null, complaint: undefined }, false, 2 ** 30).message,
    /unknown-block\(0,0\): the initial RAM disk could not be unpacked \(compression .* configured\): look at --initrd$/,
  );
});

test('under the command the same holds, and a kernel’s file that QEMU cannot load is the kernel’s', () => {
  const kindOf = (code: number | null, signal: NodeJS.Signals | null, complaint?: string, started = true) =>
    causeOfEnd([], { code, signal, complaint }, started, 2 ** 30).kind;
  assert.equal(kindOf(0, null), 'ended');
  assert.equal(kindOf(1, null), 'ended');
  assert.equal(kindOf(null, 'SIGKILL'), 'host');
  assert.equal(kindOf(null, 'SIGABRT', 'GLib-ERROR **: failed to allocate 4096 bytes'), 'host');
  assert.equal(kindOf(1, null, 'qemu-system-x86_64: failed to get "write" lock'), 'host');
  assert.equal(kindOf(1, null, "qemu: could not load kernel 'x': wrong format", false), 'no-boot');
});
