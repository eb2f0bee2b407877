/** When udev is waited for: only where it has the rules that confirm a device. With a real one: test/lab/devicemapper/udev-rules.sh. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const CHILD = `
  import { isUdevRunning } from '${new URL('../../src/linux/udev-cookie.ts', import.meta.url)}';
  console.log(isUdevRunning());
`;

/** Folders of rules of its own for a child, all empty at first; then `prepare` is run. */
function isRunningAfter(prepare: string): boolean {
  // Whatever is written lies in memory of the child's own: a machine may have no folder of the name that could be covered.
  const script = [
    'set -e; for folder in /etc /run; do mount -t tmpfs tmpfs $folder; mkdir -p $folder/udev/rules.d; done',
    'for folder in /usr/lib /lib /usr/local/lib; do if [ -d $folder/udev ]; then mount -t tmpfs tmpfs $folder/udev; fi; done',
    ': >/run/udev/control',
    prepare,
    'exec "$0" --input-type=module -e "$1"',
  ].join('\n');
  const said = execFileSync('unshare', ['-m', 'sh', '-c', script, process.execPath, CHILD], {
    encoding: 'utf8',
  });
  return said.trim() === 'true';
}

test('udev without the rules that confirm a device is not waited for', () => {
  const rule = 'udev/rules.d/95-dm-notify.rules';
  assert.equal(isRunningAfter(''), false);
  assert.equal(isRunningAfter(`echo rule >/run/${rule}`), true);
  assert.equal(isRunningAfter(`echo rule >/run/${rule}; rm /run/udev/control`), false);
  // Turned off by whoever administers the machine.
  assert.equal(isRunningAfter(`echo rule >/run/${rule}; ln -s /dev/null /etc/${rule}`), false);
});
