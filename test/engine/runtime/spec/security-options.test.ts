import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseSecurityOptions } from '../../../../src/engine/runtime/spec/security-options.ts';

describe('parseSecurityOptions', () => {
  it('reads both separators', () => {
    assert.deepEqual(
      parseSecurityOptions([
        'no-new-privileges',
        'apparmor:mine',
        'label=type:foo',
        'seccomp=unconfined',
        'disable',
      ]),
      {
        noNewPrivileges: true,
        apparmor: 'mine',
        seccomp: 'unconfined',
        labels: ['type:foo', 'disable'],
      },
    );
    assert.equal(parseSecurityOptions(['no-new-privileges:true']).noNewPrivileges, true);
    assert.equal(parseSecurityOptions(['no-new-privileges=0'], true).noNewPrivileges, false);
    assert.equal(parseSecurityOptions(null, true).noNewPrivileges, true);
  });

  it('refuses in Docker’s words', () => {
    const refuses = (option: string, message: string) =>
      assert.throws(() => parseSecurityOptions([option]), { code: 'InvalidParameter', message });
    refuses('foo', 'invalid --security-opt 1: "foo"');
    refuses('foo=bar', 'invalid --security-opt 2: "foo=bar"');
    refuses('no-new-privileges=maybe', 'invalid --security-opt 2: "no-new-privileges=maybe"');
  });
});
