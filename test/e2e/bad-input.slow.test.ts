import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';

/** A command that must fail: its words, its exit code, and what its one line of standard error says. */
type Refused = readonly [words: readonly string[], status: number, line: RegExp];

const REFUSED: readonly Refused[] = [
  [['run', '--rm', 'nosuch', 'true'], 125, /Unable to find image 'nosuch:latest' locally/],
  [['run', '--rm', 'UPPER', 'true'], 125, /invalid reference format: repository name must be lowercase/],
  [['run', '--rm', '--name', 'a/b', 'tiny', 'true'], 125, /Invalid container name \(a\/b\)/],
  [
    ['run', '--rm', '--name', 'taken', 'tiny', 'true'],
    125,
    /The container name "\/taken" is already in use by container "[0-9a-f]{64}"/,
  ],
  [['run', '--rm', '--cap-add', 'FOO', 'tiny', 'true'], 125, /invalid CapAdd: unknown capability: "CAP_FOO"/],
  [['run', '--rm', '--network', 'nosuch', 'tiny', 'true'], 125, /network/],
  [['run', '--rm', '-v', '/h:/c:sideways', 'tiny', 'true'], 125, /invalid mode: sideways/],
  [['run', '--rm', '-v', '/h:relative', 'tiny', 'true'], 125, /mount path must be absolute/],
  [
    ['run', '--rm', '--mount', 'type=bind,src=/nosuch-here,dst=/c', 'tiny', 'true'],
    125,
    /bind source path does not exist: \/nosuch-here/,
  ],
  [
    ['run', '--rm', '--user', 'nobodyatall', 'tiny', 'true'],
    125,
    /unable to find user nobodyatall: no matching entries in passwd file/,
  ],
  [
    ['run', '--rm', '-w', 'relative', 'tiny', 'true'],
    125,
    /the working directory 'relative' is invalid, it needs to be an absolute path/,
  ],
  [
    ['run', '--rm', '--oom-score-adj', '1001', 'tiny', 'true'],
    125,
    /Invalid value 1001, range for oom score adj is \[-1000, 1000\]/,
  ],
  [
    ['run', '--rm', '--ulimit', 'nofile=9:1', 'tiny', 'true'],
    125,
    /ulimit soft limit must be less than or equal to hard limit/,
  ],
  [['run', '--rm', '--security-opt', 'foo=bar', 'tiny', 'true'], 125, /invalid --security-opt/],
  [
    ['run', '--rm', '--security-opt', 'seccomp=/nosuch-profile', 'tiny', 'true'],
    125,
    /opening seccomp profile \(\/nosuch-profile\) failed/,
  ],
  [
    ['run', '--rm', '--env-file', '/nosuch-env', 'tiny', 'true'],
    125,
    /open \/nosuch-env: no such file or directory/,
  ],
  [['run', '--rm', '--storage-opt', 'nosuch=1', 'tiny', 'true'], 125, /nosuch/],
  [['run', '--rm', '--storage-opt', 'size=1G', 'tiny', 'true'], 125, /--storage-opt is supported only/],
  [['run', '--rm', 'tiny', '/nosuch-program'], 127, /no such file or directory/],
  [['run', '--rm', 'tiny', 'nosuch-program'], 127, /executable file not found in \$PATH/],
  [['run', '--rm', 'tiny', '/etc'], 126, /permission denied|is a directory/],
  [['run', '--rm', '--nosuch-flag', 'tiny'], 125, /unknown flag: --nosuch-flag/],
  [['--runtime', '/nosuch-runtime', 'run', '--rm', 'tiny', 'true'], 125, /\/nosuch-runtime/],
  [
    ['--storage-opt', 'overlay2.nosuch=1', 'run', '--rm', 'tiny', 'true'],
    125,
    /overlay2 has no option overlay2\.nosuch: it takes /,
  ],
  [
    ['--storage-opt', 'dm.fs=xfs', 'images'],
    125,
    /overlay2 has no option dm\.fs: .* choose --storage-driver devicemapper/,
  ],
  [['--storage-opt', 'overlay2.size=-5', 'images'], 125, /overlay2\.size: invalid size: '-5': give a number/],
  [
    ['--storage-opt', 'overlay2.size=99999p', 'images'],
    125,
    /overlay2\.size=99999p is out of range: give less/,
  ],
  [
    ['--storage-opt', '', 'images'],
    125,
    /key\/value option: '': a storage option \(--storage-opt\) is KEY=VALUE/,
  ],
  [
    ['run', '--rm', '--storage-opt', '', 'tiny', 'true'],
    125,
    /invalid storage option: --storage-opt '' is not KEY=VALUE, such as size=10G/,
  ],
  [
    ['run', '--rm', '--storage-opt', 'siz=1G', 'tiny', 'true'],
    125,
    /Unknown option siz: a container's --storage-opt is size, such as size=10G/,
  ],
  [
    ['run', '-s', 'vfs', '--rm', 'tiny', 'true'],
    125,
    /unknown shorthand flag: 's' in -s, which goes before the command: tsengine -s DRIVER run …/,
  ],
  [['-s', 'overlay3', 'images'], 125, /unknown storage driver "overlay3": choose one of overlay2, /],
  [['-s', 'overlay3', 'ps'], 125, /unknown storage driver "overlay3"/],
  // An argument is no flag, and of `driver check` 1 is an answer.
  [['driver', 'setup', 'overlay3'], 1, /unknown storage driver "overlay3"/],
  [['driver', 'teardown', 'overlay3'], 1, /unknown storage driver "overlay3"/],
  [['driver', 'check', 'overlay3'], 125, /unknown storage driver "overlay3"/],
  [['--config-file', '/nosuch-config', 'images'], 1, /\/nosuch-config/],
  [['start', 'nosuch'], 1, /No such container: nosuch/],
  [['stop', 'nosuch'], 1, /No such container: nosuch/],
  [['kill', 'taken'], 1, /Container [0-9a-f]{64} is not running/],
  [['kill', '-s', 'NOSIG', 'taken'], 1, /Invalid signal: NOSIG/],
  [['rm', 'nosuch'], 1, /No such container: nosuch/],
  [['rmi', 'nosuch'], 1, /No such image: nosuch$/m],
  [
    ['rmi', 'tiny'],
    1,
    /conflict: unable to remove repository reference "tiny" \(must force\) - container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}/,
  ],
  [['inspect', 'nosuch'], 1, /No such object: nosuch/],
  [['tag', 'nosuch', 'x'], 1, /No such image: nosuch:latest/],
  [['tag', 'tiny', 'A:b:c'], 1, /invalid reference format/],
  [['history', 'nosuch'], 1, /No such image: nosuch:latest/],
  [['save', '-o', '/tmp/never', 'nosuch'], 1, /No such image: nosuch/],
  [['export', '-o', '/tmp/never', 'nosuch'], 1, /No such container: nosuch/],
  [['commit', 'nosuch'], 1, /No such container: nosuch/],
  [['commit', '-c', 'FROM x', 'taken'], 1, /from is not a valid change command/],
  [['diff', 'nosuch'], 1, /No such container: nosuch/],
  [['logs', 'nosuch'], 1, /No such container: nosuch/],
  [['load', '-i', '/nosuch-archive'], 1, /open \/nosuch-archive: no such file or directory/],
  [['import', '/nosuch-archive'], 1, /open \/nosuch-archive: no such file or directory/],
  [['import', '-c', 'NOSUCH x', '/etc/passwd'], 1, /nosuch is not a valid change command/],
  [['ps', '--filter', 'nosuch=1'], 1, /invalid filter 'nosuch'/i],
  [['ps', '--filter', 'nosuch'], 125, /bad format of filter \(expected name=value\)/],
  [['ps', '-a', '--format', '{{.Nosuch}}'], 1, /Nosuch/],
  [['ps', '--format', '{{.ID'], 1, /failed to parse template: template: :1: unclosed action/],
  [['nosuch-command'], 1, /'nosuch-command' is not a tsengine command/],
];

describe('bad input on overlay2', () => {
  let cli: Cli;
  before(async () => {
    cli = openCli('overlay2');
    cli.ok(['import', '-c', 'CMD ["sh"]', await tinyRootfs(), 'tiny']);
    cli.ok(['create', '--name', 'taken', 'tiny', 'true']);
  });
  after(async () => await cli[Symbol.asyncDispose]());

  for (const [words, status, line] of REFUSED) {
    test(`${words.join(' ')}: one line, exit code ${status}, nothing left`, () => {
      const stores = storeContents(cli);
      const ended = cli.run(words);
      assert.match(ended.stderr, line);
      assert.equal(ended.status, status, ended.stderr);
      // `start` says which of its containers failed in a line of its own, as Docker's client does.
      const besides = /^(See |tsengine: failed to start containers: nosuch$)/;
      const said = ended.stderr.split('\n').filter((text) => text !== '' && !besides.test(text));
      assert.equal(said.length, 1, `one line, not: ${ended.stderr}`);
      assert.doesNotMatch(ended.stderr, /\n {4}at /, 'a stack trace');
      assert.deepEqual(storeContents(cli), stores, 'something was left behind');
      assert.deepEqual(cli.mounts(), []);
    });
  }

  for (const program of ['conmon', 'runc']) {
    test(`${program} missing: one line that says what to install, nothing left`, () => {
      const path = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
      // In a mount namespace of its own the program is a file that cannot be executed, for this command alone.
      const hide = 'mount --bind /dev/null "$0" && exec "$@"';
      const words = ['--mount', 'sh', '-c', hide, path, ...cli.command, 'run', '--rm', 'tiny', 'true'];
      const stores = storeContents(cli);
      const ended = spawnSync('unshare', words, { encoding: 'utf8' });
      assert.equal(ended.status, 125, ended.stderr);
      assert.match(ended.stderr, new RegExp(`${program}.*install`));
      assert.equal(ended.stderr.trim().split('\n').length, 1, ended.stderr);
      assert.deepEqual(storeContents(cli), stores);
    });
  }

  test('a driver that is none is refused by name', () => {
    const ended = cli.run(['-s', 'overlay3', 'images']);
    // As for a flag that is none: docs/decisions.md has the rule.
    assert.equal(ended.status, 125);
    assert.match(ended.stderr, /overlay3/);
    assert.equal(ended.stderr.trim().split('\n').length, 1);
  });

  test('a prefix that two containers share is ambiguous, and one digit always is with 17 of them', () => {
    for (let made = 0; made < 16; made++) cli.ok(['create', 'tiny', 'true']);
    const ids = cli.ok(['ps', '-aq', '--no-trunc']).trim().split('\n');
    const digit = '0123456789abcdef'
      .split('')
      .find((first) => ids.filter((id) => id.startsWith(first)).length > 1);
    assert.ok(digit !== undefined);
    const ended = cli.run(['inspect', '--type', 'container', digit]);
    assert.equal(ended.status, 1);
    assert.match(ended.stderr, new RegExp(`Multiple IDs found with provided prefix: ${digit}`));
  });

  test('a corrupt daemon.json is named with the place of the fault', () => {
    const file = `${cli.execRoot}/daemon.json`;
    writeFileSync(file, '{\n  "storage-driver": "overlay2",\n  oops\n}');
    const ended = cli.run(['--config-file', file, 'images']);
    assert.equal(ended.status, 1);
    assert.match(ended.stderr, /daemon\.json.*line 3|daemon\.json.*3:/);
    writeFileSync(file, '{"nosuch-key": 1}');
    assert.match(cli.run(['--config-file', file, 'images']).stderr, /nosuch-key/);
  });
});

/** Everything that a failed command could have left: names in the stores, and how many files a data root has in all. */
function storeContents(cli: Cli): unknown {
  const list = (path: string) => {
    try {
      return readdirSync(`${cli.dataRoot}/${path}`).sort();
    } catch {
      return [];
    }
  };
  return {
    containers: list('containers'),
    layers: list('overlay2'),
    links: list('overlay2/l'),
    chains: list('image/overlay2/layerdb/sha256'),
    mounts: list('image/overlay2/layerdb/mounts'),
    unfinished: list('image/overlay2/layerdb/tmp'),
    images: list('image/overlay2/imagedb/content/sha256'),
    running: cli.run(['ps', '-q']).stdout,
  };
}
