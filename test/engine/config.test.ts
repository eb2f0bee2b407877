import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, describe, test } from 'node:test';
import type { EngineOptions } from '../../src/engine/api/services.ts';
import { readConfig } from '../../src/engine/config.ts';

const base = mkdtempSync(`${tmpdir()}/ts-cf-`);
after(() => rmSync(base, { recursive: true, force: true }));
const configFile = `${base}/daemon.json`;

/** The configuration of this file, with its warnings. */
function read(file: unknown, flags: EngineOptions = {}) {
  writeFileSync(configFile, typeof file === 'string' ? file : JSON.stringify(file));
  const warnings: string[] = [];
  const config = readConfig({ configFile, warn: (message) => warnings.push(message), ...flags });
  return { config, warnings };
}

describe('daemon.json', () => {
  test('an empty one leaves everything as it is', () => {
    const { config, warnings } = read({});
    assert.deepEqual(warnings, []);
    assert.equal(config.syncLayers, true);
    assert.deepEqual(
      [config.dataRoot, config.execRoot, config.storageDriver],
      [undefined, undefined, undefined],
    );
    assert.equal(config.runtime.defaultRuntime, 'runc');
  });

  test("Docker's keys are taken", () => {
    const { config } = read({
      'data-root': '/d',
      'exec-root': '/e',
      'storage-driver': 'vfs',
      'storage-opts': ['a.b=c', 'x = y'],
      'sync-layers': false,
      'log-level': 'warn',
      runtimes: { mine: { path: '/bin/mine', runtimeArgs: ['--x'] } },
      'default-runtime': 'mine',
      'cgroup-parent': '/p',
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      'default-ulimits': { nofile: { Name: 'nofile', Hard: 64, Soft: 32 } },
      init: true,
      'init-path': '/sbin/tini',
      dns: ['1.1.1.1'],
    });
    assert.deepEqual([config.dataRoot, config.execRoot, config.storageDriver], ['/d', '/e', 'vfs']);
    assert.deepEqual(config.storageOptions, [
      ['a.b', 'c'],
      ['x', 'y'],
    ]);
    assert.deepEqual([config.syncLayers, config.logLevel], [false, 'warn']);
    const { runtime } = config;
    assert.deepEqual(runtime.runtimes, { mine: { path: '/bin/mine', args: ['--x'] } });
    assert.deepEqual(
      [runtime.defaultRuntime, runtime.cgroupDriver, runtime.initPath],
      ['mine', 'cgroupfs', '/sbin/tini'],
    );
    assert.deepEqual(runtime.spec.ulimits, [{ Name: 'nofile', Hard: 64, Soft: 32 }]);
    assert.deepEqual([runtime.spec.cgroupParent, runtime.spec.init, runtime.dns], ['/p', true, ['1.1.1.1']]);
  });

  test('flags win, and options of the driver come after those of the file', () => {
    const file = { 'data-root': '/d', 'storage-driver': 'vfs', 'storage-opts': ['a=1'], debug: true };
    const flags = { dataRoot: '/flag', storageDriver: 'overlay2', storageOpts: ['b=2'], logLevel: 'error' };
    const { config } = read(file, flags);
    assert.deepEqual(
      [config.dataRoot, config.storageDriver, config.logLevel],
      ['/flag', 'overlay2', 'error'],
    );
    assert.deepEqual(config.storageOptions, [
      ['a', '1'],
      ['b', '2'],
    ]);
    assert.equal(read(file).config.logLevel, 'debug');
  });

  test('a key of Docker that means nothing here is a warning', () => {
    const { warnings } = read({ hosts: ['unix:///x'], 'live-restore': true, init: false });
    assert.deepEqual(warnings, [`${configFile}: without effect in tsengine: hosts, live-restore`]);
  });

  const bad: readonly (readonly [what: string, file: unknown, message: string])[] = [
    [
      'an unknown key',
      { 'data-rot': '/x', init: true },
      `unable to configure tsengine with file ${configFile}: the following directives don't match any configuration option: data-rot`,
    ],
    ['a wrong type', { init: 'yes' }, `${configFile}: field "init": expected boolean`],
    [
      'a wrong type inside',
      { 'storage-opts': ['a=b', 7] },
      `${configFile}: field "storage-opts[1]": expected string`,
    ],
    [
      'a wrong level',
      { 'log-level': 'loud' },
      `${configFile}: field "log-level": expected "debug" or "info" or "warn" or "error" or "fatal"`,
    ],
    ['a list', [], `${configFile}: not a JSON object`],
    ['nothing', '', `${configFile}: not JSON at line 1, column 1: the text ends here`],
    [
      'a comma too many',
      '{\n  "init": true,\n}\n',
      `${configFile}: not JSON at line 3, column 1: unexpected "}"`,
    ],
    ['an unknown runtime', { 'default-runtime': 'nope' }, "specified default runtime 'nope' does not exist"],
    [
      'an unknown exec option',
      { 'exec-opts': ['a=b'] },
      `${configFile}: field "exec-opts": unknown option "a"`,
    ],
    [
      'a wrong cgroup driver',
      { 'exec-opts': ['native.cgroupdriver=x'] },
      `${configFile}: field "exec-opts": native.cgroupdriver is cgroupfs or systemd, not "x"`,
    ],
    [
      'a storage option without a value',
      { 'storage-opts': ['a'] },
      'Unable to parse key/value option: a: a storage option (--storage-opt) is KEY=VALUE',
    ],
  ];
  for (const [what, file, message] of bad) {
    test(`${what} is an error that names it`, () => {
      assert.throws(() => read(file), { code: 'InvalidParameter', message });
    });
  }

  test('a file that was named must be there', () => {
    assert.throws(() => readConfig({ configFile: `${base}/none.json` }), {
      message: `cannot read the configuration file ${base}/none.json: name another with --config-file`,
    });
  });
});
