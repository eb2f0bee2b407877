// Results and messages were taken from docker 20.10.24.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBoolean } from '../../../src/cli/flags/flag-error.ts';
import { parseNetworkFlag } from '../../../src/cli/flags/network.ts';
import { parseSecurityFlags } from '../../../src/cli/flags/security-opt.ts';
import { parseUlimits } from '../../../src/cli/flags/ulimit.ts';

test('--ulimit', () => {
  assert.deepEqual(parseUlimits(['nofile=5', 'nofile=6:7', 'core=-1', 'cpu=5:-1']), [
    { Name: 'core', Hard: -1, Soft: -1 },
    { Name: 'cpu', Hard: -1, Soft: 5 },
    { Name: 'nofile', Hard: 7, Soft: 6 },
  ]);
  const cases: readonly (readonly [value: string, reason: string])[] = [
    ['nofile=2:1', 'ulimit soft limit must be less than or equal to hard limit: 2 > 1'],
    [
      'nofile=-1:5',
      'ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 5',
    ],
    ['foo=1', 'invalid ulimit type: foo'],
    ['as=1', 'invalid ulimit type: as'],
    ['NOFILE=1', 'invalid ulimit type: NOFILE'],
    ['nofile', 'invalid ulimit argument: nofile'],
    ['nofile=', 'strconv.ParseInt: parsing "": invalid syntax'],
    ['nofile=1:a', 'strconv.ParseInt: parsing "a": invalid syntax'],
    ['nofile=1:2:3', 'too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`'],
  ];
  for (const [value, reason] of cases) {
    const message = `invalid argument "${value}" for "--ulimit" flag: ${reason}`;
    assert.throws(() => parseUlimits([value]), { message, exitCode: 125 });
  }
});

test('--network', () => {
  const plain = (name: string) => ({ name, aliases: [], driverOptions: {} });
  for (const name of ['none', 'container:abc', 'none,host', 'name="x', '=x', 'name=']) {
    assert.deepEqual(parseNetworkFlag(name), plain(name));
  }
  assert.deepEqual(parseNetworkFlag('name=N1'), plain('n1'));
  assert.deepEqual(parseNetworkFlag('Name=n1, alias=b,driver-opt=a=b'), {
    name: 'n1',
    aliases: ['b'],
    driverOptions: { a: 'b' },
  });
  const flag = (value: string) => `invalid argument "${value}" for "--network" flag: `;
  const cases: readonly (readonly [value: string, message: string])[] = [
    ['', 'no name set for network'],
    ['name=none,alias=x', 'network-scoped aliases are only supported for user-defined networks'],
    ['foo=1', `${flag('foo=1')}invalid field key foo`],
    ['n1,alias=b', `${flag('n1,alias=b')}invalid field n1`],
    [
      'name=n1,driver-opt=x',
      `${flag('name=n1,driver-opt=x')}invalid key value pair format in driver options`,
    ],
  ];
  for (const [value, message] of cases)
    assert.throws(() => parseNetworkFlag(value), { message, exitCode: 125 });
});

test('--security-opt', () => {
  const profile = '{ "a": "b \\" c",\n "n": 18446744073709551615 }\n';
  const read = (path: string) => (path === 'p' ? profile : path === 'bad' ? 'root:x' : missing());
  const missing = (): never => {
    throw Object.assign(new Error('gone'), { code: 'ENOENT' });
  };
  assert.deepEqual(
    parseSecurityFlags(
      [
        'no-new-privileges',
        'no-new-privileges:true',
        'seccomp=unconfined',
        'systempaths=unconfined',
        'label:disable',
        'seccomp=p',
        'a=b=c',
      ],
      read,
    ),
    {
      options: [
        'no-new-privileges',
        'no-new-privileges:true',
        'seccomp=unconfined',
        'label:disable',
        'seccomp={"a":"b \\" c","n":18446744073709551615}',
        'a=b=c',
      ],
      unmaskedPaths: true,
    },
  );
  assert.equal(parseSecurityFlags(['apparmor=x'], read).unmaskedPaths, false);
  const cases: readonly (readonly [value: string, message: RegExp])[] = [
    ['foo', /^Invalid --security-opt: "foo"$/],
    ['', /^Invalid --security-opt: ""$/],
    [
      'seccomp=/nosuch',
      /^opening seccomp profile \(\/nosuch\) failed: open \/nosuch: no such file or directory$/,
    ],
    ['seccomp=bad', /^compacting json for seccomp profile \(bad\) failed: /],
  ];
  for (const [value, message] of cases) assert.throws(() => parseSecurityFlags([value], read), { message });
});

test('Go booleans', () => {
  assert.deepEqual(['1', 'T', 'true', 'True'].map(parseBoolean), [true, true, true, true]);
  assert.deepEqual(['0', 'f', 'FALSE'].map(parseBoolean), [false, false, false]);
  assert.deepEqual(['', 'yes', 'tRUE', '2'].map(parseBoolean), [undefined, undefined, undefined, undefined]);
});
