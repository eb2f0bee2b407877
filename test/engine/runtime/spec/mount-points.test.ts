import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostConfig, Mount } from '../../../../src/engine/api/host-config.ts';
import { mountPointsOf, parseBind } from '../../../../src/engine/runtime/spec/mount-points.ts';

const points = (more: { Binds?: string[]; Mounts?: Mount[]; Tmpfs?: HostConfig['Tmpfs'] }) =>
  mountPointsOf(
    { Binds: null, ...more },
    { dataRoot: '/data', sourceExists: (path) => !path.startsWith('/nonexist') },
  );
const refuses = (more: Parameters<typeof points>[0], message: string) =>
  assert.throws(() => points(more), { code: 'InvalidParameter', message });

describe('mountPointsOf', () => {
  it('stores binds as Docker does', () => {
    assert.deepEqual(points({ Binds: ['/src:/a:ro', '/tmp/../tmp/./:/x/../y/'] }), {
      '/a': {
        Source: '/src',
        Destination: '/a',
        RW: false,
        Name: '',
        Driver: '',
        Type: 'bind',
        Relabel: 'ro',
        Propagation: 'rprivate',
        Spec: { Type: 'bind', Source: '/src', Target: '/a', ReadOnly: true },
        SkipMountpointCreation: false,
      },
      '/y': {
        Source: '/tmp',
        Destination: '/y',
        RW: true,
        Name: '',
        Driver: '',
        Type: 'bind',
        Propagation: 'rprivate',
        Spec: { Type: 'bind', Source: '/tmp/../tmp/./', Target: '/x/../y/' },
        SkipMountpointCreation: false,
      },
    });
  });

  it('stores volumes and --mount', () => {
    const Mounts = [
      { Type: 'bind', Source: '/src', Target: '/m', ReadOnly: true, BindOptions: { Propagation: 'private' } },
      { Type: 'tmpfs', Target: '/t', ReadOnly: true, TmpfsOptions: { SizeBytes: 1, Mode: 0o700 } },
    ];
    const got = points({ Binds: ['vol1:/vol:nocopy'], Mounts });
    assert.deepEqual(
      Object.values(got).map((one) => [
        one.Destination,
        one.Type,
        one.Name,
        one.RW,
        one.Propagation,
        one.SkipMountpointCreation,
      ]),
      [
        ['/vol', 'volume', 'vol1', true, undefined, false],
        ['/m', 'bind', '', false, 'private', true],
        ['/t', 'tmpfs', '', false, undefined, false],
      ],
    );
    assert.deepEqual(got['/vol']?.Spec.VolumeOptions, { NoCopy: true });
    assert.deepEqual(got['/t']?.Spec, Mounts[1]);
  });

  it('makes binds of the data root slaves', () => {
    assert.equal(parseBind('/data/x:/x', '/data').Propagation, 'rslave');
    assert.equal(parseBind('/:/host', '/data').Propagation, 'rslave');
    assert.equal(parseBind('/data:/x:rshared', '/data').Propagation, 'rshared');
    refuses(
      { Binds: ['/data:/x:rprivate'] },
      'invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon ' +
        'root, daemon root: "/data", bind mount source: "/data", propagation: "rprivate"',
    );
  });

  it('refuses -v in Docker’s words', () => {
    refuses({ Binds: ['/a:/b:/c:d'] }, "invalid volume specification: '/a:/b:/c:d'");
    refuses({ Binds: ['/foo:rw'] }, "invalid volume specification: '/foo:rw'");
    refuses({ Binds: ['/a:/b:foo'] }, 'invalid mode: foo');
    refuses({ Binds: ['/a:/b:ro,rw'] }, 'invalid mode: ro,rw');
    const config = (bind: string, type: string, why: string) =>
      refuses(
        { Binds: [bind] },
        `invalid volume specification: '${bind}': invalid mount config for type "${type}": ${why}`,
      );
    config('/a:/', 'bind', "invalid specification: destination can't be '/'");
    config('name:/y:shared', 'volume', 'field BindOptions must not be specified');
    config('/a:/b:nocopy', 'bind', 'field VolumeOptions must not be specified');
    refuses({ Binds: ['/a:/x', '/b:/x/'] }, 'Duplicate mount point: /x');
    refuses({ Binds: ['/a:/x'], Tmpfs: { '/x': '' } }, 'Duplicate mount point: /x');
  });

  it('refuses --mount and --tmpfs in Docker’s words', () => {
    const mount = (Type: string, more: Mount, why: string) =>
      refuses(
        { Mounts: [{ Type, Target: '/x', ...more }] },
        `invalid mount config for type "${Type}": ${why}`,
      );
    mount('bind', { Source: '/nonexist' }, 'bind source path does not exist: /nonexist');
    mount('bind', { Source: 'rel' }, "invalid mount path: 'rel' mount path must be absolute");
    mount('bind', { Source: '/a', Target: 'rel' }, "invalid mount path: 'rel' mount path must be absolute");
    mount('bind', { Source: '/a', Target: '/' }, "invalid specification: destination can't be '/'");
    mount('bind', {}, 'field Source must not be empty');
    mount('bind', { Source: '/a', BindOptions: { Propagation: 'bad' } }, 'invalid propagation mode: bad');
    mount('tmpfs', { Source: '/a' }, 'field Source must not be specified');
    mount('foo', { Source: '/a' }, 'mount type unknown');
    refuses({ Tmpfs: { '': '' } }, "invalid mount path: '' mount path must be absolute");
    refuses({ Tmpfs: { relative: '' } }, "invalid mount path: 'relative' mount path must be absolute");
    refuses({ Tmpfs: { '/': '' } }, "invalid specification: destination can't be '/'");
  });
});
