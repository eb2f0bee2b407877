import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { defaultHostConfig } from '../../../../src/engine/api/host-config.ts';
import { mountPointSchema } from '../../../../src/engine/api/mount-point.ts';
import {
  readBlockDevices,
  readDevice,
  readHostDevices,
} from '../../../../src/engine/runtime/spec/host-devices.ts';
import {
  parseKernelRelease,
  readHostFacts,
  readSourceMounts,
} from '../../../../src/engine/runtime/spec/host-facts.ts';

const mapping = (PathOnHost: string, PathInContainer = PathOnHost) =>
  readDevice({ PathOnHost, PathInContainer, CgroupPermissions: 'rwm' });

describe('readHostFacts', () => {
  it('tells about this machine', () => {
    const facts = readHostFacts();
    assert.ok(facts.kernel.major >= 3);
    assert.equal(facts.arch, { x64: 'amd64', arm64: 'arm64' }[String(process.arch)] ?? facts.arch);
    assert.ok(facts.capabilities.size > 0);
    assert.equal(facts.cgroupVersion === 2, existsSync('/sys/fs/cgroup/cgroup.controllers'));
    assert.equal(readHostFacts({ cgroupDriver: 'systemd' }).cgroupDriver, 'systemd');
  });

  it('reads kernel releases', () => {
    assert.deepEqual(parseKernelRelease('6.1.0-18-cloud-amd64'), { major: 6, minor: 1 });
    assert.deepEqual(parseKernelRelease('5.10-rc3'), { major: 5, minor: 10 });
    assert.deepEqual(parseKernelRelease('odd'), { major: 0, minor: 0 });
  });

  it('finds the mounts of slave and shared binds only', () => {
    const point = (Destination: string, Source: string, Propagation: string) =>
      mountPointSchema.parse({ Destination, Source, Propagation, Type: 'bind' });
    assert.deepEqual(readSourceMounts({ '/a': point('/a', '/proc', 'rprivate') }), {});
    const found = readSourceMounts({
      '/a': point('/a', '/proc/self/fd', 'rslave'),
      '/b': point('/b', '/', 'shared'),
    });
    assert.equal(found['/proc/self/fd']?.mountPoint, '/proc');
    assert.equal(found['/']?.mountPoint, '/');
  });
});

describe('host devices', () => {
  const NULL = { type: 'c', major: 1, minor: 3, uid: 0, gid: 0 };

  it('describes nodes, also through links', () => {
    const found = mapping('/dev/null', '/dev/x');
    const { fileMode, ...node } = found.nodes[0] ?? assert.fail('no node');
    assert.deepEqual(node, { ...NULL, path: '/dev/x' });
    assert.equal(typeof fileMode, 'number');
    assert.deepEqual(mapping('/dev/fd/../null').nodes.length, 1);
  });

  it('takes a directory’s nodes', {
    skip: existsSync('/dev/pts/ptmx') ? false : 'no /dev/pts/ptmx here',
  }, () => {
    const ptmx = mapping('/dev/pts', '/dev/other').nodes.find((node) => node.path === '/dev/other/ptmx');
    assert.deepEqual([ptmx?.major, ptmx?.minor], [5, 2]);
  });

  it('refuses in Docker’s words', () => {
    const text = 'error gathering device information while adding custom device';
    assert.throws(() => mapping('/dev/nonexist'), {
      message: `${text} "/dev/nonexist": no such file or directory`,
    });
    assert.throws(() => mapping('/etc/passwd'), { message: `${text} "/etc/passwd": not a device node` });
  });

  it('lists the machine’s devices without terminals and the console', () => {
    const paths = readHostDevices().map((node) => node.path);
    assert.ok(paths.includes('/dev/null'));
    assert.ok(!paths.some((path) => path === '/dev/console' || path.startsWith('/dev/pts/')));
  });

  it('gives the numbers of limited devices', () => {
    const config = { ...defaultHostConfig(1), BlkioDeviceReadBps: [{ Path: '/dev/zero', Rate: 1 }] };
    assert.deepEqual(readBlockDevices(config), { '/dev/zero': { major: 1, minor: 5 } });
    const gone = { ...config, BlkioDeviceWriteIOps: [{ Path: '/dev/gone', Rate: 1 }] };
    assert.throws(() => readBlockDevices(gone), { message: 'stat /dev/gone: no such file or directory' });
  });
});
