import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  clientSecurityOptions,
  parseSecurityOptions,
} from '../../../../src/engine/runtime/spec/security-options.ts';

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

describe('clientSecurityOptions', () => {
  const read = (path: string): string => {
    if (path === 'ok.json') return '{\n  "defaultAction": "SCMP_ACT_ALLOW"\n}\n';
    if (path === 'bad.json') return '{bad';
    throw new Error(`open ${path}: no such file or directory`);
  };

  it('puts profiles inline and takes system paths out', () => {
    const given = [
      'seccomp=ok.json',
      'systempaths=unconfined',
      'no-new-privileges',
      'label:disable',
      'seccomp=unconfined',
    ];
    assert.deepEqual(clientSecurityOptions(given, read), {
      securityOpt: [
        'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
        'no-new-privileges',
        'label:disable',
        'seccomp=unconfined',
      ],
      systemPathsUnconfined: true,
    });
  });

  it('refuses in Docker’s words', () => {
    const refuses = (option: string, message: string | RegExp) =>
      assert.throws(() => clientSecurityOptions([option], read), { code: 'InvalidParameter', message });
    refuses('foo', 'Invalid --security-opt: "foo"');
    refuses('seccomp=/gone', 'opening seccomp profile (/gone) failed: open /gone: no such file or directory');
    refuses('seccomp=bad.json', /^compacting json for seccomp profile \(bad\.json\) failed: /);
  });
});
