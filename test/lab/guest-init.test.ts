/** The first program of a machine, run here by a shell with programs that only say what they were called with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { applets, diskSerials, INIT_SCRIPT, neededModules } from '../../src/lab/guest-init.ts';

test('without a list of modules the first program tries all that a machine needs', () => {
  const tried = /for name in (.+); do modprobe/.exec(INIT_SCRIPT)?.[1]?.split(' ') ?? [];
  assert.deepEqual(
    neededModules.filter((name) => !tried.includes(name)),
    [],
  );
});

/** Runs the script on a machine with these disks; `failing` is what a mount that fails has among its words. Gives the console. */
function boot(disks: readonly string[], wanted: number, failing = 'nothing'): string {
  const root = mkdtempSync(join(tmpdir(), 'lab-init-'));
  try {
    const stub = (name: string, text: string): void => {
      writeFileSync(join(root, 'bin', name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(root, 'bin', name), 0o755);
    };
    for (const name of ['bin', 'dev', 'modules', 'proc', 'root/run'])
      mkdirSync(join(root, name), { recursive: true });
    for (const name of applets) if (name !== 'sh') stub(name, 'exit 0');
    stub('mount', `case "$*" in *"${failing}"*) exit 1 ;; esac`);
    stub('uname', 'echo 6.1');
    // The machine is off, or another program is PID 1 now: the script ends.
    stub('poweroff', 'kill $PPID');
    stub('switch_root', `echo "started $2" >>${root}/dev/console`);
    disks.forEach((serial, index) => {
      const disk = join(root, 'sys/block', `vd${'abcdefgh'[index]}`);
      mkdirSync(disk, { recursive: true });
      writeFileSync(join(disk, 'serial'), serial);
    });
    writeFileSync(join(root, 'proc/cmdline'), `quiet lab.disks=${wanted}\n`);
    writeFileSync(join(root, 'modules/order'), 'virtio_blk.ko\n');
    writeFileSync(join(root, 'dev/console'), '');
    const script = INIT_SCRIPT.replace('-lt 300', '-lt 3')
      .replace('PATH=/bin', `PATH=${root}/bin`)
      .replaceAll(/(?<![\w/.}])\/(root|proc|sys|dev|modules|agent\.py)\b/g, `${root}/$1`);
    spawnSync('/bin/sh', ['-c', script], { stdio: 'ignore' });
    return readFileSync(join(root, 'dev/console'), 'utf8').replaceAll(root, '');
  } finally {
    rmSync(root, { recursive: true });
  }
}

describe('the first program', () => {
  const { root, modules, packages, code, results } = diskSerials;
  const disks = [root, modules, packages, code, results];

  test('mounts the disks and starts the agent', () => {
    assert.equal(boot(disks, 5), 'started /usr/bin/python3\n');
  });

  for (const [what, failing, words] of [
    ['the npm packages', 'node_modules', 'the disk of npm packages does not mount'],
    ['results', '/root/results', 'the disk for results does not mount'],
  ] as const)
    test(`gives up when ${what} cannot be mounted: nothing is written where it would be lost`, () => {
      assert.equal(boot(disks, 5, failing), `tsengine-lab: ${words}\n`);
    });

  test('waits for every disk, and says how many are there', () => {
    assert.equal(boot(disks.slice(0, 4), 5), 'tsengine-lab: the kernel 6.1 shows 4 of 5 virtio disks\n');
  });
});
