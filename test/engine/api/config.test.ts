import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerConfigSchema, defaultConfig } from '../../../src/engine/api/container-config.ts';
import { defaultHostConfig, hostConfigSchema } from '../../../src/engine/api/host-config.ts';
import { mountPointSchema } from '../../../src/engine/api/mount-point.ts';

/** `.Config` in config.v2.json after `docker create --name x busybox sleep 100` (Docker 20.10.24). */
const CONFIG =
  '{"Hostname":"e52afe5ccd77","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,' +
  '"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":["sleep","100"],"Image":"busybox","Volumes":null,' +
  '"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{}}';

/** hostconfig.json of the same container, on a cgroup v1 host. */
const HOST_CONFIG =
  '{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"json-file","Config":{}},"NetworkMode":"default",' +
  '"PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"",' +
  '"VolumesFrom":null,"CapAdd":null,"CapDrop":null,"CgroupnsMode":"host","Dns":[],"DnsOptions":[],"DnsSearch":[],' +
  '"ExtraHosts":null,"GroupAdd":null,"IpcMode":"private","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"",' +
  '"Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"",' +
  '"ShmSize":67108864,"Runtime":"runc","ConsoleSize":[0,0],"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,' +
  '"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,' +
  '"BlkioDeviceReadIOps":null,"BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,' +
  '"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,' +
  '"KernelMemory":0,"KernelMemoryTCP":0,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":null,' +
  '"OomKillDisable":false,"PidsLimit":null,"Ulimits":null,"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,' +
  '"IOMaximumBandwidth":0,"MaskedPaths":["/proc/asound","/proc/acpi","/proc/kcore","/proc/keys","/proc/latency_stats",' +
  '"/proc/timer_list","/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware"],"ReadonlyPaths":["/proc/bus",' +
  '"/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}';

describe('Config', () => {
  it('goes through byte for byte as Docker writes it', () => {
    assert.equal(JSON.stringify(containerConfigSchema.parse(JSON.parse(CONFIG))), CONFIG);
  });

  it('has Docker’s defaults', () => {
    const filled = { ...defaultConfig(), Hostname: 'e52afe5ccd77', Cmd: ['sleep', '100'], Image: 'busybox' };
    assert.deepEqual(filled, containerConfigSchema.parse(JSON.parse(CONFIG)));
  });

  it('takes null for zero values, strings for commands, and keeps what it does not know', () => {
    const got = containerConfigSchema.parse({
      Cmd: 'ls',
      Tty: null,
      StopTimeout: null,
      New: 1,
      ExposedPorts: { '80/tcp': {} },
    });
    assert.deepEqual(got.Cmd, ['ls']);
    assert.equal(got.Tty, false);
    assert.deepEqual(JSON.parse(JSON.stringify(got)).New, 1);
    assert.ok(!JSON.stringify(got).includes('StopTimeout'));
    assert.deepEqual(got.ExposedPorts, { '80/tcp': {} });
  });

  it('names the field that is wrong', () => {
    assert.deepEqual(containerConfigSchema.safeParse({ Env: ['a', 1] }).error?.issues[0]?.path, ['Env', 1]);
  });
});

describe('HostConfig', () => {
  it('goes through byte for byte as Docker writes it', () => {
    assert.equal(JSON.stringify(hostConfigSchema.parse(JSON.parse(HOST_CONFIG))), HOST_CONFIG);
  });

  it('has Docker’s defaults', () => {
    assert.equal(JSON.stringify(defaultHostConfig(1)), HOST_CONFIG);
    assert.equal(defaultHostConfig(2).CgroupnsMode, 'private');
  });

  it('keeps null and empty apart, and omits what Docker omits', () => {
    const text =
      '{"Binds":[],"Dns":null,"Tmpfs":{"/t":""},"Init":true,"Mounts":[{"Type":"bind","Target":"/x","ReadOnly":true}]}';
    const got = hostConfigSchema.parse(JSON.parse(text));
    assert.deepEqual([got.Binds, got.Dns, got.Tmpfs, got.Init], [[], null, { '/t': '' }, true]);
    assert.equal(JSON.stringify(got.Mounts), '[{"Type":"bind","Target":"/x","ReadOnly":true}]');
    assert.ok(!JSON.stringify(got).includes('Sysctls'));
  });
});

describe('MountPoint', () => {
  it('goes through byte for byte as Docker writes it', () => {
    const text =
      '{"Source":"/src","Destination":"/a","RW":false,"Name":"","Driver":"","Type":"bind","Relabel":"ro","Propagation":' +
      '"rprivate","Spec":{"Type":"bind","Source":"/src","Target":"/a","ReadOnly":true},"SkipMountpointCreation":false}';
    assert.equal(JSON.stringify(mountPointSchema.parse(JSON.parse(text))), text);
  });
});
