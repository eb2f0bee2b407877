import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kernelParts } from '../../src/lab/debian-kernel.ts';
import { mirrorOf, sourceLine } from '../../src/lab/debian-sources.ts';

describe("this machine's mirror", () => {
  test("is where Debian's own main comes from, whatever stands before it", () => {
    const mirror = mirrorOf(
      [
        'Somebody|bookworm|main|http://other.test/|/k',
        'Debian|bookworm-security|main|http://mirror.test/security/|$(SIGNED_BY)',
        'Debian|bookworm|contrib|http://mirror.test/contrib/|$(SIGNED_BY)',
        'Debian|bookworm|main|cdrom:[Debian]/|$(SIGNED_BY)',
        'Debian|bookworm|main|http://mirror.test/debian/|/usr/share/keyrings/keys.gpg',
      ].join('\n'),
    );
    assert.deepEqual(mirror, {
      uri: 'http://mirror.test/debian/',
      keyring: '/usr/share/keyrings/keys.gpg',
    });
  });

  test('has no keyring of its own where apt names none', () => {
    const mirror = mirrorOf('Debian|trixie|main|http://mirror.test/debian/|$(SIGNED_BY)');
    assert.ok(mirror !== undefined);
    assert.equal(sourceLine(mirror, 'sid'), 'deb http://mirror.test/debian/ sid main');
  });

  test('is not there when no list says that it is Debian', () => {
    assert.equal(mirrorOf(''), undefined);
    assert.equal(mirrorOf('|||http://mirror.test/|'), undefined);
  });

  test('may be signed by keys of its own', () => {
    const line = sourceLine({ uri: 'http://m.test', keyring: '/k.gpg' }, 'bookworm', 'main contrib');
    assert.equal(line, 'deb [signed-by=/k.gpg] http://m.test bookworm main contrib');
  });
});

test('the parts of a kernel are told from what else it depends on', () => {
  const parts = kernelParts([
    ...['kmod', 'linux-base', 'initramfs-tools', 'linux-image-6.1.0-50-cloud-amd64'],
    ...['linux-image-6.1.0-50-cloud-amd64-unsigned', 'linux-binary-7.2.13-cloud-amd64'],
    ...['linux-modules-7.2.13-cloud-amd64', 'linux-base-7.2.13-cloud-amd64', 'linux-base-cloud-amd64'],
  ]);
  assert.deepEqual(parts, [
    ...['linux-image-6.1.0-50-cloud-amd64', 'linux-binary-7.2.13-cloud-amd64'],
    ...['linux-modules-7.2.13-cloud-amd64', 'linux-base-7.2.13-cloud-amd64'],
  ]);
});
