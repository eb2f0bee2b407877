// Results and messages were taken from docker 20.10.24.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountFlag } from '../../../src/cli/flags/mount.ts';
import { parseTmpfsFlags, parseVolumeFlags } from '../../../src/cli/flags/volume.ts';

test('--mount becomes what the API takes', () => {
  const cases: readonly (readonly [flag: string, mount: object])[] = [
    ['dst=/c', { Type: 'volume', Target: '/c' }],
    ['dst=/c,readonly=false', { Type: 'volume', Target: '/c' }],
    [
      'type=bind,src=/etc,dst=/c,readonly,bind-propagation=rshared,consistency=cached',
      {
        Type: 'bind',
        Source: '/etc',
        Target: '/c',
        ReadOnly: true,
        Consistency: 'cached',
        BindOptions: { Propagation: 'rshared' },
      },
    ],
    ['type=BIND,SRC=/etc,Target=/c', { Type: 'bind', Source: '/etc', Target: '/c' }],
    [
      'type=bind,source=/e,destination=/c,ro=1,bind-nonrecursive',
      { Type: 'bind', Source: '/e', Target: '/c', ReadOnly: true, BindOptions: { NonRecursive: true } },
    ],
    [
      'type=tmpfs,dst=/t,tmpfs-size=1.5m,tmpfs-mode=1770',
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1572864, Mode: 1016 } },
    ],
    [
      'src=a,dst=/c,volume-nocopy,volume-label=a=b,volume-label=c,volume-driver=local,volume-opt=o=1',
      {
        Type: 'volume',
        Source: 'a',
        Target: '/c',
        VolumeOptions: {
          NoCopy: true,
          Labels: { a: 'b', c: '' },
          DriverConfig: { Name: 'local', Options: { o: '1' } },
        },
      },
    ],
    [
      'dst=/c,volume-nocopy',
      { Type: 'volume', Target: '/c', VolumeOptions: { NoCopy: true, DriverConfig: {} } },
    ],
    [
      'dst=/c,volume-nocopy,volume-nocopy=0',
      { Type: 'volume', Target: '/c', VolumeOptions: { DriverConfig: {} } },
    ],
    [
      'dst=/c,volume-label=a=b',
      { Type: 'volume', Target: '/c', VolumeOptions: { Labels: { a: 'b' }, DriverConfig: {} } },
    ],
    ['"type=bind","src=/a""b,c",dst=/c', { Type: 'bind', Source: '/a"b,c', Target: '/c' }],
    ['\ntype=bind,src=/a,dst=/c\r\n', { Type: 'bind', Source: '/a', Target: '/c' }],
  ];
  for (const [flag, mount] of cases) assert.deepEqual(parseMountFlag(flag), mount, flag);
});

test('--mount refuses in Docker words', () => {
  const cases: readonly (readonly [flag: string, reason: string])[] = [
    ['', 'EOF'],
    ['type=bind', 'target is required'],
    ['type=bind,src=/etc,dst=', 'target is required'],
    ['type=,dst=/c', 'type is required'],
    ['foo=1', "unexpected key 'foo' in 'foo=1'"],
    ['type=bind, src=/etc', "unexpected key ' src' in ' src=/etc'"],
    ['foo', "invalid field 'foo' must be a key=value pair"],
    ['type=bind,,dst=/c', "invalid field '' must be a key=value pair"],
    ['readonly=x', 'invalid value for readonly: x'],
    ['bind-nonrecursive=x', 'invalid value for bind-nonrecursive: x'],
    ['volume-nocopy=x', 'invalid value for volume-nocopy: x'],
    ['type=tmpfs,dst=/t,tmpfs-size=-5', 'invalid value for tmpfs-size: -5'],
    ['type=tmpfs,dst=/t,tmpfs-mode=9', 'invalid value for tmpfs-mode: 9'],
    ['type=bind,src=/etc,dst=/c,tmpfs-size=1m', "cannot mix 'tmpfs-*' options with mount type 'bind'"],
    ['type=tmpfs,dst=/t,bind-propagation=rprivate', "cannot mix 'bind-*' options with mount type 'tmpfs'"],
    ['type=bind,src=/etc,dst=/c,volume-label=x', "cannot mix 'volume-*' options with mount type 'bind'"],
    [
      'type=bind,"src=/etc,dst=/c',
      'parse error on line 1, column 27: extraneous or missing " in quoted-field',
    ],
    ['type=bind,src=/e"tc,dst=/c', 'parse error on line 1, column 17: bare " in non-quoted-field'],
    [
      'type=bind,"src=/a"b,dst=/c',
      'parse error on line 1, column 18: extraneous or missing " in quoted-field',
    ],
  ];
  for (const [flag, reason] of cases) {
    const message = `invalid argument "${flag.replaceAll('"', '\\"')}" for "--mount" flag: ${reason}`;
    assert.throws(() => parseMountFlag(flag), { message, code: 'InvalidParameter', exitCode: 125 }, flag);
  }
});

test('-v and --tmpfs', () => {
  assert.deepEqual(parseVolumeFlags(['/h:/c:ro,z', 'vol:/c', '/c', 'c', '/c:ro', ':', '/h:/c:ro,z', '']), {
    Binds: ['/h:/c:ro,z', 'vol:/c', '/c:ro', ':'],
    Volumes: { '/c': {}, c: {} },
  });
  assert.deepEqual(parseTmpfsFlags(['/t', '/u:size=1m,ro', '/v:', '/u:a:b', ':']), {
    '/t': '',
    '/u': 'a:b',
    '/v': '',
    '': '',
  });
});
