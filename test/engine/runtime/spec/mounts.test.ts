import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MountPoint, mountPointSchema } from '../../../../src/engine/api/mount-point.ts';
import { tmpfsData, tmpfsOptions } from '../../../../src/engine/runtime/spec/tmpfs.ts';
import { type Changes, sampleSpec } from './sample.ts';

/** Mounts as `destination <- source (type) options`, one a line. */
function mounts(changes: Changes = {}): string[] {
  return sampleSpec(changes).mounts.map(
    ({ destination, source, type, options }) => `${destination} <- ${source} (${type}) ${options.join(',')}`,
  );
}

const point = (Destination: string, more: Partial<MountPoint> = {}): Record<string, MountPoint> => ({
  [Destination]: mountPointSchema.parse({
    Source: '/src',
    Destination,
    RW: true,
    Type: 'bind',
    Propagation: 'rprivate',
    ...more,
  }),
});

const DEFAULTS = [
  '/proc <- proc (proc) nosuid,noexec,nodev',
  '/dev <- tmpfs (tmpfs) nosuid,strictatime,mode=755,size=65536k',
  '/dev/pts <- devpts (devpts) nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5',
  '/sys <- sysfs (sysfs) nosuid,noexec,nodev,ro',
  '/sys/fs/cgroup <- cgroup (cgroup) ro,nosuid,noexec,nodev',
  '/dev/mqueue <- mqueue (mqueue) nosuid,noexec,nodev',
  '/dev/shm <- shm (tmpfs) nosuid,noexec,nodev,mode=1777,size=67108864',
];
const NETWORK = [
  '/etc/resolv.conf <- /c/resolv.conf (bind) rbind,rprivate',
  '/etc/hostname <- /c/hostname (bind) rbind,rprivate',
  '/etc/hosts <- /c/hosts (bind) rbind,rprivate',
];

describe('mounts', () => {
  it('are Docker’s defaults and the network’s files', () => {
    assert.deepEqual(mounts(), [...DEFAULTS, ...NETWORK]);
  });

  it('puts binds, volumes and tmpfs on top, outer directories first', () => {
    const mountPoints = {
      ...point('/c/d'),
      ...point('/a', { RW: false }),
      ...point('/flat', { Spec: { BindOptions: { NonRecursive: true } } }),
      ...point('/vol', { Type: 'volume', Source: '/data/volumes/v/_data', Propagation: '' }),
      ...point('/t1', {
        Type: 'tmpfs',
        Source: '',
        Spec: { ReadOnly: true, TmpfsOptions: { SizeBytes: 2 ** 26, Mode: 0o1770 } },
      }),
    };
    assert.deepEqual(
      mounts({ input: { mountPoints }, hostConfig: { Tmpfs: { '/t2': 'size=1m,exec' } } }).slice(7),
      [
        '/a <- /src (bind) rbind,ro,rprivate',
        '/flat <- /src (bind) bind,rprivate',
        '/t1 <- tmpfs (tmpfs) noexec,nosuid,nodev,rprivate,ro,mode=1770,size=64m',
        '/vol <- /data/volumes/v/_data (bind) rbind',
        '/t2 <- tmpfs (tmpfs) nosuid,nodev,rprivate,size=1m,exec',
        '/c/d <- /src (bind) rbind,rprivate',
        ...NETWORK,
      ],
    );
  });

  it('lets a bind stand in for a default and for a network file', () => {
    const dev = mounts({ input: { mountPoints: point('/dev', { Source: '/dev' }) } });
    assert.deepEqual(
      dev.map((line) => line.split(' ')[0]),
      ['/proc', '/sys', '/sys/fs/cgroup', '/dev', '/etc/resolv.conf', '/etc/hostname', '/etc/hosts'],
    );
    const hosts = mounts({ input: { mountPoints: point('/etc/hosts', { RW: false }) } });
    assert.equal(hosts.at(-1), '/etc/hosts <- /src (bind) rbind,ro,rprivate');
    assert.equal(hosts.length, 10);
  });

  it('makes a read-only root’s own mounts read-only', () => {
    const lines = mounts({ hostConfig: { ReadonlyRootfs: true }, input: { mountPoints: point('/a') } });
    assert.deepEqual(lines, [
      ...DEFAULTS,
      '/a <- /src (bind) rbind,rprivate',
      ...NETWORK.map((line) => line.replace('rbind', 'rbind,ro')),
    ]);
    assert.equal(sampleSpec({ hostConfig: { ReadonlyRootfs: true } }).root.readonly, true);
  });

  it('opens sysfs and cgroups to privileged containers', () => {
    const lines = mounts({ hostConfig: { Privileged: true } });
    assert.equal(lines[3], '/sys <- sysfs (sysfs) nosuid,noexec,nodev');
    assert.equal(lines[4], '/sys/fs/cgroup <- cgroup (cgroup) nosuid,noexec,nodev');
  });

  it('serves /dev/shm by IPC mode', () => {
    const shm = (IpcMode: string, more: Changes = {}) =>
      mounts({
        ...more,
        hostConfig: { IpcMode, ShmSize: 1024 },
        input: { shmPath: '/shm', ...more.input },
      }).filter((line) => line.startsWith('/dev/shm'));
    assert.deepEqual(shm('private'), ['/dev/shm <- shm (tmpfs) nosuid,noexec,nodev,mode=1777,size=1024']);
    assert.deepEqual(shm('none'), []);
    assert.deepEqual(shm('shareable'), ['/dev/shm <- /shm (bind) rbind,rprivate']);
    assert.deepEqual(shm('shareable', { input: { mountPoints: point('/dev/shm') } }), [
      '/dev/shm <- /src (bind) rbind,rprivate',
    ]);
  });

  it('brings in the init program, unless processes are shared', () => {
    const lines = mounts({ hostConfig: { Init: true } });
    assert.equal(lines[7], '/sbin/docker-init <- /usr/bin/tini (bind) bind,ro');
    assert.equal(mounts({ hostConfig: { Init: true, PidMode: 'host' } }).length, 10);
  });
});

describe('propagation', () => {
  const bind = (Propagation: string, propagation: string[], more: Partial<MountPoint> = {}) =>
    sampleSpec({
      input: {
        mountPoints: point('/a', { Propagation, ...more }),
        sourceMounts: { [more.Source ?? '/src']: { mountPoint: '/', propagation } },
      },
    });

  it('makes the root follow', () => {
    assert.equal(bind('rprivate', []).linux.rootfsPropagation, undefined);
    assert.equal(bind('rslave', ['shared:1']).linux.rootfsPropagation, 'rslave');
    assert.equal(bind('slave', ['master:1']).linux.rootfsPropagation, 'rslave');
    assert.equal(bind('rshared', ['shared:1']).linux.rootfsPropagation, 'shared');
    assert.deepEqual(bind('rshared', ['shared:1']).mounts[7]?.options, ['rbind', 'rshared']);
  });

  it('refuses sources that do not take part, in Docker’s words', () => {
    assert.throws(() => bind('shared', ['master:1']), {
      code: 'InvalidParameter',
      message: 'path /src is mounted on / but it is not a shared mount',
    });
    assert.throws(() => bind('rslave', []), {
      message: 'path /src is mounted on / but it is not a shared or slave mount',
    });
  });

  it('forgives binds of the data root that are slaves unasked', () => {
    const own = bind('rslave', [], { Source: '/data/x' });
    assert.equal(own.linux.rootfsPropagation, undefined);
    assert.deepEqual(own.mounts[7]?.options, ['rbind', 'rslave']);
    assert.throws(() =>
      bind('rslave', [], { Source: '/data/x', Spec: { BindOptions: { Propagation: 'rslave' } } }),
    );
  });
});

describe('tmpfsOptions', () => {
  it('keeps the last of rivals', () => {
    assert.deepEqual(tmpfsOptions(''), ['noexec', 'nosuid', 'nodev', 'rprivate']);
    assert.deepEqual(tmpfsOptions('rw,size=1m,exec,uid=5'), [
      'nosuid',
      'nodev',
      'rprivate',
      'rw',
      'size=1m',
      'exec',
      'uid=5',
    ]);
    assert.deepEqual(tmpfsOptions('size=1m,defaults,size=2m,shared'), [
      'noexec',
      'nosuid',
      'nodev',
      'size=2m',
      'shared',
    ]);
  });

  it('refuses unknown ones in Docker’s words', () => {
    assert.throws(() => tmpfsOptions('foo=1'), {
      code: 'InvalidParameter',
      message: 'invalid tmpfs option ["foo" "1"]',
    });
    assert.throws(() => tmpfsOptions('foo'), { message: 'invalid tmpfs option ["foo"]' });
  });

  it('shortens sizes that divide', () => {
    assert.equal(tmpfsData({ TmpfsOptions: { SizeBytes: 1000 } }), 'size=1000');
    assert.equal(tmpfsData({ TmpfsOptions: { SizeBytes: 3 * 2 ** 30 } }), 'size=3g');
    assert.equal(tmpfsData({ TmpfsOptions: { SizeBytes: 1536 * 1024 } }), 'size=1536k');
  });
});
