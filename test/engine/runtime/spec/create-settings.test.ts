import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ContainerConfig, defaultConfig } from '../../../../src/engine/api/container-config.ts';
import {
  defaultHostConfig,
  type HostConfig,
  hostConfigSchema,
} from '../../../../src/engine/api/host-config.ts';
import { checkSettings, completeHostConfig } from '../../../../src/engine/runtime/spec/create-settings.ts';
import { HOST } from './sample.ts';

const MIB = 2 ** 20;

function refuses(
  message: string,
  host: Partial<HostConfig>,
  config: Partial<ContainerConfig> = {},
  driver = 'cgroupfs',
) {
  const facts = {
    ...HOST,
    cgroupDriver: driver === 'systemd' ? ('systemd' as const) : ('cgroupfs' as const),
    cpus: 2,
  };
  const check = () =>
    checkSettings({ ...defaultConfig(), ...config }, { ...defaultHostConfig(1), ...host }, facts);
  if (message === '') check();
  else assert.throws(check, { code: 'InvalidParameter', message });
}

describe('checkSettings', () => {
  it('accepts the defaults and sensible limits', () => {
    refuses('', {});
    refuses('', { Memory: 64 * MIB, MemorySwap: -1, NanoCpus: 1.5e9, PidsLimit: -5, OomScoreAdj: -1000 });
    refuses('', { CgroupParent: 'my.slice' }, {}, 'systemd');
  });

  it('refuses limits in Docker’s words', () => {
    refuses('Minimum memory limit allowed is 6MB', { Memory: MIB });
    refuses('Minimum memoryswap limit should be larger than memory limit, see usage', {
      Memory: 10 * MIB,
      MemorySwap: 7 * MIB,
    });
    refuses('You should always set the Memory limit when using Memoryswap limit, see usage', {
      MemorySwap: 7 * MIB,
    });
    refuses('Invalid value: 200, valid memory swappiness range is 0-100', { MemorySwappiness: 200 });
    refuses('Minimum memory reservation allowed is 6MB', { MemoryReservation: MIB });
    refuses('Minimum memory limit can not be less than memory reservation limit, see usage', {
      Memory: 10 * MIB,
      MemoryReservation: 20 * MIB,
    });
    refuses('Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available', { NanoCpus: 99e9 });
    refuses('Conflicting options: Nano CPUs and CPU Period cannot both be set', {
      NanoCpus: 1e9,
      CpuPeriod: 1000,
    });
    refuses('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)', {
      CpuPeriod: 10,
    });
    refuses('CPU cfs quota can not be less than 1ms (i.e. 1000)', { CpuQuota: 10 });
    refuses('Range of blkio weight is from 10 to 1000', { BlkioWeight: 5 });
  });

  it('refuses the rest in Docker’s words', () => {
    refuses('Invalid value 2000, range for oom score adj is [-1000, 1000]', { OomScoreAdj: 2000 });
    refuses(
      "the working directory 'rel' is invalid, it needs to be an absolute path",
      {},
      { WorkingDir: 'rel' },
    );
    refuses('invalid environment variable: =foo', {}, { Env: ['A=1', '=foo'] });
    refuses('conflicting options: hostname and the UTS mode', { UTSMode: 'host' }, { Hostname: 'h' });
    refuses('invalid CapAdd: unknown capability: "CAP_FOO"', { CapAdd: ['foo'] });
    refuses('invalid --security-opt 2: "foo=bar"', { SecurityOpt: ['foo=bar'] });
    refuses("can't create 'AutoRemove' container with restart policy", {
      AutoRemove: true,
      RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
    });
    refuses(
      'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"',
      { CgroupParent: '/x' },
      {},
      'systemd',
    );
  });
});

describe('completeHostConfig', () => {
  const complete = (config: object, cgroupVersion: 1 | 2 = 1) =>
    completeHostConfig(hostConfigSchema.parse(config), { cgroupVersion });

  it('fills in what an API client left out', () => {
    const got = complete({ Memory: 64 * MIB });
    const { NetworkMode, IpcMode, CgroupnsMode, ShmSize, MemorySwap, OomKillDisable, SecurityOpt } = got;
    assert.deepEqual(
      { NetworkMode, IpcMode, CgroupnsMode, ShmSize, MemorySwap, OomKillDisable, SecurityOpt },
      {
        NetworkMode: 'default',
        IpcMode: 'private',
        CgroupnsMode: 'host',
        ShmSize: 64 * MIB,
        MemorySwap: 128 * MIB,
        OomKillDisable: false,
        SecurityOpt: null,
      },
    );
    assert.equal(got.MaskedPaths?.length, 10);
    assert.equal(complete({}, 2).CgroupnsMode, 'private');
  });

  it('keeps what was set, and opens privileged containers', () => {
    const set = { IpcMode: 'none', MaskedPaths: [], ReadonlyPaths: ['/x'], MemorySwap: -1, Memory: 9 * MIB };
    const { IpcMode, MaskedPaths, ReadonlyPaths, MemorySwap } = complete(set);
    assert.deepEqual([IpcMode, MaskedPaths, ReadonlyPaths, MemorySwap], ['none', [], ['/x'], -1]);
    const open = complete({ Privileged: true, SecurityOpt: ['no-new-privileges'] });
    assert.deepEqual(open.SecurityOpt, ['no-new-privileges', 'label=disable']);
    assert.deepEqual([open.MaskedPaths, open.ReadonlyPaths], [null, null]);
    assert.deepEqual(complete({ PidMode: 'host' }).SecurityOpt, ['label=disable']);
  });

  it('leaves a complete one as it is', () => {
    assert.deepEqual(complete(defaultHostConfig(2), 2), defaultHostConfig(2));
  });
});
