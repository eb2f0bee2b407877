/**
 * Every kernel of Debian's that the lab knows starts, is the one that its name says, and has containers with both runtimes.
 * In a full run; 6.1 is in machine.slow.test.ts, of every run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianReleases } from '../../src/lab/kernels.ts';
import { FULL, onlyOne } from '../helpers/scope.ts';
import { inMachine, succeedsInMachine } from './in-machine.ts';

/** What its release begins with: a version in the name, or at least what backports are for. */
const RELEASES: Readonly<Record<string, RegExp>> = {
  'debian:5.10': /^5\.10\.\d/,
  'debian:6.12': /^6\.12\.\d/,
  'debian:bookworm-backports': /^(6\.1[0-9]|[7-9])\.\d/,
  'debian:7.2': /^7\.\d/,
};

const NAMES = debianReleases.map(({ name }) => name).filter((name) => name !== 'debian:6.1');
const ONLY = onlyOne('TSENGINE_TEST_KERNEL', NAMES);

const SCRIPT = `set -eu
uname -r
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/busybox
ln -s busybox /tmp/image/bin/sh
tar -C /tmp/image -cf /tmp/image.tar .
tsengine import /tmp/image.tar tiny >/dev/null
for runtime in runc crun; do
  tsengine --runtime $runtime run --rm --network none tiny sh -c 'echo "$0"' "in $runtime"
done
`;

for (const name of NAMES) {
  const left = FULL ? false : 'npm run test:full';
  const skip = ONLY === undefined ? left : ONLY === name ? false : `only ${ONLY}`;
  test(`${name} starts, and containers run`, { skip }, async () => {
    const { stdout } = await succeedsInMachine({ kernel: name, command: ['sh', '-c', SCRIPT] });
    const [release = '', ...said] = stdout.trim().split('\n');
    const expected = RELEASES[name];
    assert.ok(expected !== undefined, `no release is expected of ${name}`);
    assert.match(release, expected);
    assert.deepEqual(said, ['in runc', 'in crun']);
  });
}

test('a command that kills the agent, under systemd, is told to have', {
  skip: FULL ? false : 'npm run test:full',
}, async () => {
  const command = ['sh', '-c', 'echo before; sleep 1; kill -9 $PPID; sleep 1000'];
  await assert.rejects(inMachine({ command, with: ['systemd'] }), {
    kind: 'ended',
    message: /^the lab's own agent in the machine, which runs the command, ended/,
  });
});
