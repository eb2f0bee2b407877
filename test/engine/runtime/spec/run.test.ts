import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildSpec } from '../../../../src/engine/runtime/spec/build-spec.ts';
import { allCapabilities, defaultCapabilities } from '../../../../src/engine/runtime/spec/capabilities.ts';
import { readHostFacts } from '../../../../src/engine/runtime/spec/host-facts.ts';
import { serializeSpec } from '../../../../src/engine/runtime/spec/serialize.ts';
import { type Changes, sampleInput } from './sample.ts';

const busybox = spawnSync('sh', [
  '-c',
  'command -v busybox && ! ldd "$(command -v busybox)" 2>/dev/null | grep -q "=>"',
])
  .stdout.toString()
  .trim();

function missing(): string | false {
  if (process.getuid?.() !== 0) return 'not root';
  if (spawnSync('runc', ['--version']).status !== 0) return 'runc is not installed';
  return busybox === '' ? 'no statically linked busybox: apt-get install busybox-static' : false;
}

/** Runs a shell command in a container of the built spec and gives what it printed. */
function run(script: string, changes: Changes = {}): string {
  const bundle = mkdtempSync(join(tmpdir(), 'tsengine-spec-'));
  const id = `tsengine-spec-${process.pid}-${bundle.slice(-6)}`;
  try {
    for (const name of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp'])
      mkdirSync(join(bundle, 'rootfs', name), { recursive: true });
    copyFileSync(busybox, join(bundle, 'rootfs/bin/busybox'));
    for (const name of [
      'sh',
      'cat',
      'id',
      'grep',
      'ls',
      'mount',
      'hostname',
      'unshare',
      'ping',
      'wc',
      'touch',
      'stat',
    ]) {
      symlinkSync('busybox', join(bundle, 'rootfs/bin', name));
    }
    const files = { resolvConf: 'resolv.conf', hostname: 'hostname', hosts: 'hosts' };
    const networkFiles = Object.fromEntries(
      Object.entries(files).map(([key, name]) => [key, join(bundle, name)]),
    );
    for (const name of Object.values(files)) writeFileSync(join(bundle, name), `${name}\n`);
    const input = sampleInput({
      ...changes,
      host: { ...readHostFacts(), ...changes.host },
      input: {
        id,
        path: '/bin/sh',
        args: ['-c', script],
        rootfs: join(bundle, 'rootfs'),
        networkFiles,
        ...changes.input,
      },
    });
    // AppArmor's profile is loaded by the engine, systemd's slices are asked for with a flag: this test has neither.
    const host = { ...input.host, apparmor: false, cgroupDriver: 'cgroupfs' as const };
    // runc removes a container's cgroup, but not the parents that it made for it.
    const defaults = { ...input.defaults, cgroupParent: '/' };
    const { spec } = buildSpec({ ...input, host, defaults });
    writeFileSync(join(bundle, 'config.json'), serializeSpec(spec));
    const result = spawnSync('runc', ['--root', join(bundle, 'state'), 'run', '--bundle', bundle, id], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    assert.equal(result.status, 0, `runc: ${result.stderr}`);
    return result.stdout.trim();
  } finally {
    spawnSync('runc', ['--root', join(bundle, 'state'), 'delete', '--force', id]);
    rmSync(bundle, { recursive: true, force: true });
  }
}

/** The default capabilities, as far as this machine has them, in the form of /proc/PID/status. */
function defaultMask(): string {
  const available = readHostFacts().capabilities;
  const bits = allCapabilities().map((name, bit) =>
    defaultCapabilities().includes(name) && available.has(name) ? 1n << BigInt(bit) : 0n,
  );
  return bits
    .reduce((mask, bit) => mask | bit, 0n)
    .toString(16)
    .padStart(16, '0');
}

describe('a container of the built spec', { skip: missing() }, () => {
  it('starts under runc, isolated as asked', () => {
    const script =
      'hostname; cat /etc/hosts; grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; id -u; ' +
      'ls /dev | grep -c full; touch /sys/x 2>/dev/null || echo sysfs ro; unshare -m true 2>/dev/null || echo no unshare; ' +
      'cat /proc/kcore | wc -c; echo $PATH';
    const lines = run(script).split('\n');
    assert.deepEqual(lines.slice(0, 2), ['c0ffee000000', 'hosts']);
    assert.equal(lines[2], `CapEff:\t${defaultMask()}`);
    assert.deepEqual(lines.slice(3), [
      'Seccomp:\t2',
      '0',
      '1',
      'sysfs ro',
      'no unshare',
      '0',
      '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  it('starts with another user, limits, tmpfs and a read-only root', () => {
    const script =
      'id -u; id -G; grep CapEff /proc/self/status; touch /x 2>/dev/null || echo root ro; touch /run/x && echo run rw; ' +
      'grep "Max processes" /proc/self/limits; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status';
    const output = run(script, {
      hostConfig: {
        ReadonlyRootfs: true,
        Tmpfs: { '/run': 'size=1m,mode=1777' },
        Ulimits: [{ Name: 'nproc', Hard: 500, Soft: 400 }],
        OomScoreAdj: 500,
        SecurityOpt: ['no-new-privileges'],
      },
      input: { user: { uid: 1000, gid: 44, additionalGids: [44, 29], home: '/' } },
    });
    assert.deepEqual(
      output.split('\n').map((line) => line.replace(/\s+/g, ' ').trimEnd()),
      [
        '1000',
        '44 29',
        'CapEff: 0000000000000000',
        'root ro',
        'run rw',
        'Max processes 400 500 processes',
        '500',
        'NoNewPrivs: 1',
      ],
    );
  });
});
