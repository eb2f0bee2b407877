import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadSeccompProfile } from '../../../../src/engine/runtime/spec/seccomp-profile.ts';

const CONTEXT = { arch: 'amd64', kernel: { major: 5, minor: 10 }, capabilities: ['CAP_CHOWN'] };
const load = (profile: unknown) =>
  loadSeccompProfile(typeof profile === 'string' ? profile : JSON.stringify(profile), CONTEXT);
const withRule = (rule: object) =>
  load({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ action: 'SCMP_ACT_ERRNO', ...rule }] });
const applies = (rule: object) => withRule({ names: ['chmod'], ...rule })?.syscalls !== undefined;

describe('loadSeccompProfile', () => {
  it('keeps names, arguments and errno', () => {
    const args = [{ index: 1, value: 3, valueTwo: 4, op: 'SCMP_CMP_MASKED_EQ' }];
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        { names: ['chmod'], action: 'SCMP_ACT_ERRNO', errnoRet: 2, args, comment: 'why' },
        { name: 'mkdir', action: 'SCMP_ACT_KILL', args: null },
      ],
    };
    assert.deepEqual(load(profile), {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        { names: ['chmod'], action: 'SCMP_ACT_ERRNO', errnoRet: 2, args },
        { names: ['mkdir'], action: 'SCMP_ACT_KILL' },
      ],
    });
  });

  it('knows includes and excludes', () => {
    assert.equal(applies({ includes: { caps: ['CAP_CHOWN'] } }), true);
    assert.equal(applies({ includes: { caps: ['CAP_CHOWN', 'CAP_KILL'] } }), false);
    assert.equal(applies({ excludes: { caps: ['CAP_KILL', 'CAP_CHOWN'] } }), false);
    assert.equal(applies({ includes: { arches: ['arm64'] } }), false);
    assert.equal(applies({ includes: { arches: ['arm64', 'amd64'] } }), true);
    assert.equal(applies({ excludes: { arches: ['amd64'] } }), false);
    assert.equal(applies({ includes: { minKernel: '5.10' } }), true);
    assert.equal(applies({ includes: { minKernel: '5.11' } }), false);
    assert.equal(applies({ excludes: { minKernel: '4.19' } }), false);
    assert.equal(applies({ includes: {}, excludes: null }), true);
  });

  it('maps architectures', () => {
    const archMap = [
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    ];
    const both = { defaultAction: 'SCMP_ACT_ALLOW', archMap };
    assert.deepEqual(load(both)?.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
    assert.deepEqual(
      load({ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_ARM'] })?.architectures,
      ['SCMP_ARCH_ARM'],
    );
    assert.throws(() => load({ ...both, architectures: ['SCMP_ARCH_ARM'] }), {
      message:
        "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'",
    });
  });

  it('takes an empty profile for none, and honours defaultErrnoRet', () => {
    assert.equal(load({}), undefined);
    assert.equal(load({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 38 })?.defaultErrnoRet, 38);
  });

  it('refuses what is broken, naming the field', () => {
    const refuses = (profile: unknown, message: RegExp | string) =>
      assert.throws(() => load(profile), { code: 'InvalidParameter', message });
    refuses('{bad', /^Decoding seccomp profile failed: /);
    refuses({ defaultAction: 5 }, /^Decoding seccomp profile failed: defaultAction: /);
    refuses(
      { defaultAction: 'x', syscalls: [{ names: ['a'], action: 'y', args: [{ index: -1 }] }] },
      /syscalls\.0\.args\.0\.index/,
    );
    const version =
      /Decoding seccomp profile failed: .*invalid kernel version: "x", expected "<kernel>\.<major>"/;
    refuses(
      { defaultAction: 'x', syscalls: [{ names: ['a'], action: 'y', includes: { minKernel: 'x' } }] },
      version,
    );
    assert.throws(() => withRule({ name: 'mkdir', names: ['chmod'] }), {
      message: "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
    });
  });
});
