// Results and messages were taken from docker 20.10.24.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountSchema } from '../../../src/engine/api/host-config.ts';
import {
  checkMount,
  checkTmpfsTarget,
  checkVolumeName,
  parseBind,
} from '../../../src/engine/containers/mount-spec.ts';

test('binds', () => {
  const cases: readonly (readonly [spec: string, found: object])[] = [
    ['/h:/c', { Type: 'bind', Source: '/h', Destination: '/c', RW: true, Propagation: 'rprivate' }],
    ['/h/:/c/../d/:ro', { Type: 'bind', Source: '/h', Destination: '/d', RW: false, Relabel: 'ro' }],
    ['/h:/c:rshared,ro,z', { RW: false, Propagation: 'rshared', Relabel: 'rshared,ro,z' }],
    [
      'vol:/c',
      { Type: 'volume', Source: '', Name: 'vol', Destination: '/c', RW: true, Propagation: undefined },
    ],
    ['vol:/c:nocopy', { Type: 'volume', Name: 'vol', Relabel: 'nocopy' }],
    ['/c', { Type: 'volume', Name: '', Destination: '/c' }],
    ['/h:/c:', { Relabel: undefined }],
    ['/h:/c:cached', { Relabel: 'cached' }],
  ];
  for (const [spec, found] of cases) {
    const mount = parseBind(spec);
    assert.deepEqual({ ...mount, ...found }, mount, spec);
    assert.equal(mount.SkipMountpointCreation, false);
  }
});

test('bad binds', () => {
  const invalid = (spec: string, reason = '') => `invalid volume specification: '${spec}'${reason}`;
  const cases: readonly (readonly [spec: string, message: string])[] = [
    ['a:b:c:d', invalid('a:b:c:d')],
    ['a:/c:ro:x', invalid('a:/c:ro:x')],
    ['/c:ro', invalid('/c:ro')],
    ['/a:', invalid('/a:')],
    [':', invalid(':')],
    ['', invalid('')],
    ['/h:/c:foo', 'invalid mode: foo'],
    ['/h:/c:ro,rw', 'invalid mode: ro,rw'],
    ['/h:/c:shared,private', 'invalid mode: shared,private'],
    ['/h:/c:delegated,consistent', 'invalid mode: delegated,consistent'],
    ['/h:/c:RO', 'invalid mode: RO'],
    ['/h:/c:ro,', 'invalid mode: ro,'],
    ['C:\\x:/c', 'invalid mode: /c'],
    [
      '/h:/',
      invalid(
        '/h:/',
        `: invalid mount config for type "bind": invalid specification: destination can't be '/'`,
      ),
    ],
    [
      '/h:c',
      invalid(
        '/h:c',
        `: invalid mount config for type "bind": invalid mount path: 'c' mount path must be absolute`,
      ),
    ],
    [
      'a:/c:rshared',
      invalid(
        'a:/c:rshared',
        ': invalid mount config for type "volume": field BindOptions must not be specified',
      ),
    ],
    [
      '/etc:/c:nocopy',
      invalid(
        '/etc:/c:nocopy',
        ': invalid mount config for type "bind": field VolumeOptions must not be specified',
      ),
    ],
  ];
  for (const [spec, message] of cases) {
    assert.throws(() => parseBind(spec), { message, code: 'InvalidParameter' }, spec);
  }
});

test('mounts', () => {
  const check = (mount: object) => checkMount(mountSchema.parse(mount));
  const bind = check({ Type: 'bind', Source: '/etc', Target: '/c', ReadOnly: true });
  assert.equal(bind.RW, false);
  assert.equal(bind.SkipMountpointCreation, true);
  assert.equal(check({ Type: 'volume', Source: 'v', Target: '/c' }).Name, 'v');
  assert.equal(check({ Type: 'tmpfs', Target: '/t/' }).Destination, '/t');
  const cases: readonly (readonly [mount: object, type: string, reason: string])[] = [
    [
      { Type: 'bind', Source: '/etc', Target: 'c' },
      'bind',
      "invalid mount path: 'c' mount path must be absolute",
    ],
    [
      { Type: 'bind', Source: './etc', Target: '/c' },
      'bind',
      "invalid mount path: './etc' mount path must be absolute",
    ],
    [
      { Type: 'bind', Source: '/etc', Target: '/c/..' },
      'bind',
      "invalid specification: destination can't be '/'",
    ],
    [{ Type: 'bind', Target: '/c' }, 'bind', 'field Source must not be empty'],
    [{ Type: 'bind', Source: '/etc' }, 'bind', 'field Target must not be empty'],
    [
      { Type: 'bind', Source: '/etc', Target: '/c', BindOptions: { Propagation: 'foo' } },
      'bind',
      'invalid propagation mode: foo',
    ],
    [{ Type: 'foo', Target: '/c' }, 'foo', 'mount type unknown'],
    [{ Type: 'tmpfs', Source: '/x', Target: '/c' }, 'tmpfs', 'field Source must not be specified'],
    [
      { Type: 'volume', Target: '/c', ReadOnly: true },
      'volume',
      'must not set ReadOnly mode when using anonymous volumes',
    ],
  ];
  for (const [mount, type, reason] of cases) {
    assert.throws(() => check(mount), { message: `invalid mount config for type "${type}": ${reason}` });
  }
});

test('tmpfs targets and volume names', () => {
  checkTmpfsTarget('/t');
  assert.throws(() => checkTmpfsTarget('t'), {
    message: "invalid mount path: 't' mount path must be absolute",
  });
  assert.throws(() => checkTmpfsTarget(''), {
    message: "invalid mount path: '' mount path must be absolute",
  });
  assert.throws(() => checkTmpfsTarget('/'), { message: "invalid specification: destination can't be '/'" });
  checkVolumeName('ab');
  assert.throws(() => checkVolumeName('a'), {
    message: 'create a: volume name is too short, names should be at least two alphanumeric characters',
  });
  for (const name of ['a b', './x', '-a', '~/x']) {
    assert.throws(() => checkVolumeName(name), {
      message:
        `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    });
  }
});
