import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildSpec } from '../../../../src/engine/runtime/spec/build-spec.ts';
import {
  allCapabilities,
  defaultCapabilities,
  knownCapabilities,
} from '../../../../src/engine/runtime/spec/capabilities.ts';
import type { OciDevice } from '../../../../src/engine/runtime/spec/oci.ts';
import { serializeSpec } from '../../../../src/engine/runtime/spec/serialize.ts';
import { DEFAULTS, HOST, ID, sampleInput, sampleSpec } from './sample.ts';

const device = (path: string, minor: number): OciDevice => ({
  path,
  type: 'c',
  major: 1,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

/** What Docker 20.10.24 writes for `docker run busybox sleep 100` on a cgroup v1 host without AppArmor. */
const DEFAULT_RULES = [
  { allow: false, access: 'rwm' },
  ...[
    [1, 5],
    [1, 3],
    [1, 9],
    [1, 8],
    [5, 0],
    [5, 1],
  ].map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
];

describe('buildSpec', () => {
  it('gives Docker’s spec for a container without flags', () => {
    const spec = sampleSpec();
    const sets = defaultCapabilities();
    assert.equal(spec.ociVersion, '1.0.2-dev');
    assert.deepEqual(spec.process, {
      user: { uid: 0, gid: 0, additionalGids: [0] },
      args: ['sleep', '100'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=c0ffee000000'],
      cwd: '/',
      capabilities: { bounding: sets, effective: sets, permitted: sets },
      oomScoreAdj: 0,
    });
    assert.deepEqual(spec.root, { path: '/data/overlay2/x/merged' });
    assert.equal(spec.hostname, 'c0ffee000000');
    const { seccomp, maskedPaths, readonlyPaths, ...linux } = spec.linux;
    assert.deepEqual(linux, {
      sysctl: { 'net.ipv4.ping_group_range': '0 2147483647', 'net.ipv4.ip_unprivileged_port_start': '0' },
      resources: {
        devices: DEFAULT_RULES,
        memory: { disableOOMKiller: false },
        cpu: { shares: 0 },
        blockIO: { weight: 0 },
      },
      cgroupsPath: `/tsengine/${ID}`,
      namespaces: [{ type: 'mount' }, { type: 'network' }, { type: 'uts' }, { type: 'pid' }, { type: 'ipc' }],
    });
    assert.equal(seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
    assert.equal(maskedPaths?.length, 10);
    assert.ok(maskedPaths?.includes('/proc/kcore') && maskedPaths.includes('/sys/firmware'));
    assert.deepEqual(readonlyPaths, [
      '/proc/bus',
      '/proc/fs',
      '/proc/irq',
      '/proc/sys',
      '/proc/sysrq-trigger',
    ]);
  });

  it('opens everything to privileged containers', () => {
    const spec = sampleSpec({
      hostConfig: { Privileged: true, MaskedPaths: null, ReadonlyPaths: null },
      input: { hostDevices: [device('/dev/kmsg', 11)] },
      host: { apparmor: true },
    });
    assert.deepEqual(spec.process.capabilities?.effective, knownCapabilities());
    assert.equal(spec.process.apparmorProfile, 'unconfined');
    assert.deepEqual(spec.linux.devices, [device('/dev/kmsg', 11)]);
    assert.deepEqual(spec.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
    assert.deepEqual(
      [spec.linux.seccomp, spec.linux.maskedPaths, spec.linux.readonlyPaths],
      [undefined, undefined, undefined],
    );
  });

  it('leaves out what the host cannot give, and says so', () => {
    const capabilities = new Set(
      allCapabilities().filter((name) => name !== 'CAP_SYS_RESOURCE' && name !== 'CAP_MKNOD'),
    );
    const { spec, warnings } = buildSpec(
      sampleInput({ host: { capabilities }, hostConfig: { CapAdd: ['SYS_RESOURCE'] } }),
    );
    assert.deepEqual(
      spec.process.capabilities?.bounding,
      defaultCapabilities().filter((name) => name !== 'CAP_MKNOD'),
    );
    assert.deepEqual(warnings, [
      'this host cannot give the container CAP_MKNOD, CAP_SYS_RESOURCE: not in its own bounding set',
    ]);
  });

  it('gives other users the bounding set only', () => {
    const user = { uid: 1000, gid: 1000, additionalGids: [1000, 29], home: '/home/app' };
    const spec = sampleSpec({ input: { user } });
    assert.deepEqual(spec.process.capabilities, { bounding: defaultCapabilities() });
    assert.deepEqual(spec.process.user, { uid: 1000, gid: 1000, additionalGids: [1000, 29] });
    assert.deepEqual(sampleSpec({ hostConfig: { CapDrop: ['ALL'] } }).process.capabilities, {});
  });

  it('shares namespaces by mode', () => {
    const types = (hostConfig: object, input: object = {}) =>
      sampleSpec({ hostConfig, input }).linux.namespaces.map(({ type, path }) =>
        path === undefined ? type : `${type}=${path}`,
      );
    assert.deepEqual(types({ NetworkMode: 'host' }), ['mount', 'uts', 'pid', 'ipc']);
    assert.deepEqual(types({ PidMode: 'host', IpcMode: 'host', UTSMode: 'host' }), ['mount', 'network']);
    assert.deepEqual(types({ CgroupnsMode: 'private' }), ['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup']);
    const join = { joinNamespaces: { network: '/n', ipc: '/i', pid: '/p' } };
    assert.deepEqual(
      types({ NetworkMode: 'container:x', IpcMode: 'container:x', PidMode: 'container:x' }, join),
      ['mount', 'network=/n', 'uts', 'pid=/p', 'ipc=/i'],
    );
    assert.deepEqual(
      types({ NetworkMode: 'bridge' }, { joinNamespaces: { network: '/run/netns/x' } })[1],
      'network=/run/netns/x',
    );
    assert.throws(() => types({ PidMode: 'container:x' }), { code: 'System' });
    assert.throws(() => types({ IpcMode: 'badmode' }), {
      code: 'InvalidParameter',
      message: 'Invalid IPC mode: badmode',
    });
    assert.equal(sampleSpec({ hostConfig: { UTSMode: 'host' } }).hostname, undefined);
    assert.equal(sampleSpec({ hostConfig: { NetworkMode: 'host' } }).linux.sysctl, undefined);
    const key = 'net.ipv6.conf.all.disable_ipv6';
    const host = { sysctls: new Set([key]) };
    assert.deepEqual(sampleSpec({ host }).linux.sysctl, { [key]: '1' });
    const network = { joinNamespaces: { network: '/run/netns/x' } };
    assert.equal(sampleSpec({ host, input: network }).linux.sysctl, undefined);
  });

  it('orders the environment as Docker does', () => {
    const env = (Env: string[], Tty = false) => sampleSpec({ config: { Env, Tty } }).process.env;
    assert.deepEqual(env(['FOO=bar', 'PATH=/x', 'HOSTNAME', 'EMPTY='], true), [
      'PATH=/x',
      'TERM=xterm',
      'FOO=bar',
      'EMPTY=',
    ]);
    assert.deepEqual(env(['UNKNOWN', 'A=1', 'A=2']).slice(2), ['A=1', 'A=2']);
    const tty = sampleSpec({ config: { Tty: true, WorkingDir: '/a/../b/', Domainname: 'dn.example' } });
    assert.equal(tty.process.terminal, true);
    assert.equal(tty.process.cwd, '/b');
    assert.equal(tty.linux.sysctl?.['kernel.domainname'], 'dn.example');
    assert.deepEqual(sampleSpec({ input: { linkedEnv: ['DB_PORT=1'] } }).process.env[2], 'DB_PORT=1');
  });

  it('starts through an init when asked', () => {
    const args = (hostConfig: object, init = false) =>
      sampleSpec({ hostConfig, defaults: { init } }).process.args;
    assert.deepEqual(args({ Init: true }), ['/sbin/docker-init', '--', 'sleep', '100']);
    assert.deepEqual(args({}, true), ['/sbin/docker-init', '--', 'sleep', '100']);
    assert.deepEqual(args({ Init: false }, true), ['sleep', '100']);
    assert.deepEqual(args({ Init: true, PidMode: 'host' }), ['sleep', '100']);
    const { initPath: _, ...without } = DEFAULTS;
    assert.throws(() => buildSpec({ ...sampleInput({ hostConfig: { Init: true } }), defaults: without }), {
      code: 'Unavailable',
    });
  });

  it('names cgroups in either form', () => {
    const path = (CgroupParent: string, host: object = {}) =>
      sampleSpec({ hostConfig: { CgroupParent }, host }).linux.cgroupsPath;
    assert.equal(path('/foo/'), `/foo/${ID}`);
    assert.equal(path('foo'), `/foo/${ID}`);
    assert.equal(path('a.slice', { cgroupDriver: 'systemd' }), `a.slice:tsengine:${ID}`);
  });

  it('passes limits on', () => {
    const resources = (hostConfig: object, host: object = {}) =>
      sampleSpec({ hostConfig, host, input: { blockDevices: { '/dev/vda': { major: 254, minor: 0 } } } })
        .linux.resources;
    const memory = {
      Memory: 64,
      MemorySwap: 128,
      MemoryReservation: 32,
      MemorySwappiness: 10,
      OomKillDisable: true,
    };
    assert.deepEqual(resources(memory).memory, {
      limit: 64,
      reservation: 32,
      swap: 128,
      swappiness: 10,
      disableOOMKiller: true,
    });
    assert.deepEqual(resources({ ...memory, MemorySwap: -1 }, { cgroupVersion: 2 }).memory, {
      limit: 64,
      reservation: 32,
    });
    assert.deepEqual(resources({ NanoCpus: 1.5e9, CpusetCpus: '0', CpuShares: 512 }).cpu, {
      shares: 512,
      quota: 150_000,
      period: 100_000,
      cpus: '0',
    });
    assert.deepEqual(resources({ CpuPeriod: 50_000, CpuQuota: 25_000 }).cpu, {
      shares: 0,
      quota: 25_000,
      period: 50_000,
    });
    assert.deepEqual(resources({ PidsLimit: 100 }).pids, { limit: 100 });
    assert.deepEqual(resources({ PidsLimit: 0 }).pids, { limit: -1 });
    assert.deepEqual(
      resources({ BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 5 }], BlkioWeight: 300 }).blockIO,
      {
        weight: 300,
        throttleReadBpsDevice: [{ major: 254, minor: 0, rate: 5 }],
      },
    );
    assert.throws(() => resources({ BlkioDeviceWriteIOps: [{ Path: '/dev/x', Rate: 5 }] }), {
      message: 'stat /dev/x: no such file or directory',
    });
  });

  it('gives what limits the host may raise, unless the container or the configuration names them', () => {
    const limits = [
      { Name: 'nofile', Hard: 1000, Soft: 1000 },
      { Name: 'nproc', Hard: -1, Soft: -1 },
      { Name: 'core', Hard: -1, Soft: -1 },
    ];
    const spec = sampleSpec({
      host: { limits },
      hostConfig: { Ulimits: [{ Name: 'core', Hard: 2, Soft: 1 }] },
      defaults: { ulimits: [{ Name: 'nofile', Hard: 5, Soft: 4 }] },
    });
    assert.deepEqual(spec.process.rlimits, [
      { type: 'RLIMIT_CORE', hard: 2n, soft: 1n },
      { type: 'RLIMIT_NOFILE', hard: 5n, soft: 4n },
      { type: 'RLIMIT_NPROC', hard: 2n ** 64n - 1n, soft: 2n ** 64n - 1n },
    ]);
  });

  it('writes unlimited ulimits in full', () => {
    const spec = sampleSpec({
      hostConfig: { Ulimits: [{ Name: 'nproc', Hard: -1, Soft: 100 }] },
      defaults: {
        ulimits: [
          { Name: 'nproc', Hard: 1, Soft: 1 },
          { Name: 'core', Hard: 0, Soft: 0 },
        ],
      },
    });
    assert.deepEqual(spec.process.rlimits, [
      { type: 'RLIMIT_NPROC', hard: 2n ** 64n - 1n, soft: 100n },
      { type: 'RLIMIT_CORE', hard: 0n, soft: 0n },
    ]);
    assert.match(
      serializeSpec(spec),
      /"rlimits":\[\{"type":"RLIMIT_NPROC","hard":18446744073709551615,"soft":100\}/,
    );
  });

  it('makes and allows devices', () => {
    const found = (path: string, permissions: string, pathInContainer = path) => ({
      nodes: [device(pathInContainer, 7)],
      permissions,
      pathOnHost: path,
      pathInContainer,
    });
    const spec = sampleSpec({
      hostConfig: { DeviceCgroupRules: ['c 1:* rmw'] },
      input: { devices: [found('/dev/full', 'r', '/dev/x')] },
    });
    assert.deepEqual(spec.linux.devices, [device('/dev/x', 7)]);
    assert.deepEqual(spec.linux.resources.devices.slice(DEFAULT_RULES.length), [
      { allow: true, type: 'c', major: 1, minor: 7, access: 'r' },
      { allow: true, type: 'c', major: 1, minor: -1, access: 'rmw' },
    ]);
    assert.throws(() => sampleSpec({ hostConfig: { DeviceCgroupRules: ['x'] } }), {
      message: "invalid device cgroup rule format: 'x'",
    });
    const devices = [found('/dev/full', 'r', '/dev/x'), found('/dev/zero', 'rwm')];
    const privileged = buildSpec(sampleInput({ hostConfig: { Privileged: true }, input: { devices } }));
    assert.deepEqual(privileged.spec.linux.devices, [device('/dev/x', 7)]);
    assert.deepEqual(privileged.warnings, [
      'custom r permissions for device /dev/full are ignored in privileged mode',
      'path in container /dev/zero already exists in privileged mode',
    ]);
  });

  it('applies security options', () => {
    const withOptions = (SecurityOpt: string[], host: object = {}) =>
      sampleSpec({ hostConfig: { SecurityOpt }, host });
    assert.equal(withOptions(['no-new-privileges']).process.noNewPrivileges, true);
    assert.equal(withOptions(['seccomp=unconfined']).linux.seccomp, undefined);
    assert.deepEqual(withOptions(['seccomp={"defaultAction":"SCMP_ACT_LOG"}']).linux.seccomp, {
      defaultAction: 'SCMP_ACT_LOG',
    });
    assert.equal(withOptions([], { apparmor: true }).process.apparmorProfile, 'docker-default');
    assert.equal(withOptions(['apparmor=mine'], { apparmor: true }).process.apparmorProfile, 'mine');
    assert.equal(withOptions(['apparmor=mine']).process.apparmorProfile, undefined);
    const open = sampleSpec({ hostConfig: { MaskedPaths: [], ReadonlyPaths: [] } }).linux;
    assert.deepEqual([open.maskedPaths, open.readonlyPaths], [undefined, undefined]);
  });

  it('copes with kernels that have no seccomp', () => {
    const host = { ...HOST, seccomp: false };
    const { spec, warnings } = buildSpec(sampleInput({ host }));
    assert.equal(spec.linux.seccomp, undefined);
    assert.deepEqual(warnings, [
      'seccomp is not enabled in your kernel, running container without default profile',
    ]);
    assert.throws(() => buildSpec(sampleInput({ host, hostConfig: { SecurityOpt: ['seccomp={}'] } })), {
      message: 'seccomp is not enabled in your kernel, cannot run a custom seccomp profile',
    });
  });
});
