import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  allCapabilities,
  clampCapabilities,
  defaultCapabilities,
  knownCapabilities,
  parseBoundingSet,
  requestedCapabilities,
} from '../../../../src/engine/runtime/spec/capabilities.ts';

const ask = (CapAdd: string[] | null, CapDrop: string[] | null, Privileged = false) =>
  requestedCapabilities({ CapAdd, CapDrop, Privileged });

describe('capabilities', () => {
  it('has the kernel’s numbers', () => {
    const all = allCapabilities();
    assert.equal(all.length, 41);
    // Spot checks against linux/capability.h.
    assert.equal(all.indexOf('CAP_CHOWN'), 0);
    assert.equal(all.indexOf('CAP_NET_ADMIN'), 12);
    assert.equal(all.indexOf('CAP_SYS_ADMIN'), 21);
    assert.equal(all.indexOf('CAP_AUDIT_READ'), 37);
    assert.equal(all.indexOf('CAP_CHECKPOINT_RESTORE'), 40);
    const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
    assert.ok(last <= 40, `this kernel has a capability ${last} that we do not know`);
  });

  it('gives the fourteen defaults in Docker’s order', () => {
    assert.equal(
      ask(null, null).join(' ').replaceAll('CAP_', ''),
      'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE',
    );
  });

  it('adds and drops by any spelling', () => {
    const got = ask(['sys_admin', 'CAP_NET_ADMIN'], ['mknod', 'KILL']);
    const kept = defaultCapabilities().filter((name) => name !== 'CAP_MKNOD' && name !== 'CAP_KILL');
    assert.deepEqual(got, [...kept, 'CAP_SYS_ADMIN', 'CAP_NET_ADMIN']);
  });

  it('knows ALL on both sides, and privileged', () => {
    assert.deepEqual(
      ask(['all'], ['SYS_ADMIN']),
      knownCapabilities().filter((name) => name !== 'CAP_SYS_ADMIN'),
    );
    assert.deepEqual(ask(['CHOWN'], ['ALL']), ['CAP_CHOWN']);
    assert.deepEqual(ask(null, ['ALL']), []);
    assert.deepEqual(ask(null, ['CHOWN'], true), knownCapabilities());
    assert.equal(knownCapabilities().at(-1), 'CAP_AUDIT_READ');
  });

  it('refuses unknown names in Docker’s words', () => {
    const code = 'InvalidParameter';
    assert.throws(() => ask(['FOO'], null), {
      code,
      message: 'invalid CapAdd: unknown capability: "CAP_FOO"',
    });
    assert.throws(() => ask(null, ['cap_foo']), {
      code,
      message: 'invalid CapDrop: unknown capability: "CAP_FOO"',
    });
    assert.throws(() => ask(['BPF'], null), {
      code,
      message: 'invalid CapAdd: unknown capability: "CAP_BPF"',
    });
    assert.throws(() => ask(['FOO'], null, true), {
      code,
      message: 'invalid CapAdd: unknown capability: "CAP_FOO"',
    });
  });

  it('reads the bounding set and clamps to it', () => {
    const set = parseBoundingSet('Name:\tx\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n');
    assert.equal(set.size, 40);
    assert.deepEqual(clampCapabilities(['CAP_CHOWN', 'CAP_SYS_RESOURCE'], set), {
      granted: ['CAP_CHOWN'],
      refused: ['CAP_SYS_RESOURCE'],
    });
    assert.ok(parseBoundingSet(readFileSync('/proc/self/status', 'utf8')).size > 0);
    assert.throws(() => parseBoundingSet('CapBnd: none'), { code: 'System' });
  });
});
