import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { commandLine } from '../../../src/linux/processes.ts';
import { type Fixture, openFixture, runInForeground } from './fixture.ts';

let fixture: Fixture;
before(async () => {
  fixture = await openFixture();
});
after(async () => {
  await fixture[Symbol.asyncDispose]();
});

test('network none has a loopback and nothing else; network host is ours, with our hosts file and host name', async () => {
  const none = await fixture.run(['sh', '-c', 'ls /sys/class/net; readlink /proc/self/ns/net']);
  const [links, space] = none.stdout.split('\n');
  assert.equal(links, 'lo');
  assert.notEqual(space, readlinkSync('/proc/self/ns/net'));
  const host = await fixture.run(['sh', '-c', 'readlink /proc/self/ns/net; cat /etc/hosts'], {
    host: { NetworkMode: 'host' },
  });
  assert.equal(host.stdout, `${readlinkSync('/proc/self/ns/net')}\n${readFileSync('/etc/hosts', 'utf8')}`);
});

test('without a network named, Docker’s default is on record and there is none', async () => {
  const id = await fixture.create(['ls', '/sys/class/net'], { host: { NetworkMode: 'default' } });
  assert.equal((await runInForeground(fixture.engine, id)).stdout, 'lo\n');
  const shown = await fixture.engine.containers.inspect(id);
  assert.partialDeepStrictEqual(shown.HostConfig, { NetworkMode: 'default' });
  await fixture.engine.containers.remove(id);
});

test('added names and name servers are in the files of the container', async () => {
  const ran = await fixture.run(['cat', '/etc/hosts', '/etc/resolv.conf'], {
    host: {
      ExtraHosts: ['box:1.2.3.4', 'six:::1'],
      Dns: ['9.9.9.9'],
      DnsSearch: ['a.b'],
      DnsOptions: ['ndots:3'],
    },
  });
  assert.match(ran.stdout, /ff02::2\tip6-allrouters\n1\.2\.3\.4\tbox\n::1\tsix\n/);
  assert.match(ran.stdout, /search a\.b\nnameserver 9\.9\.9\.9\noptions ndots:3\n$/);
  await assert.rejects(
    fixture.run(['true'], { host: { ExtraHosts: ['x'] } }),
    /bad format for add-host: "x"/,
  );
  await assert.rejects(
    fixture.run(['true'], { host: { ExtraHosts: ['x:y'] } }),
    /invalid IP address in add-host: "y"/,
  );
});

test('IPC and process namespaces of a running container are joined, of others refused in Docker’s words', async () => {
  const { containers } = fixture.engine;
  const donor = await fixture.create(['sleep', '1000'], { name: 'donor', host: { IpcMode: 'shareable' } });
  const host = { IpcMode: 'container:donor', PidMode: 'container:donor' };
  await assert.rejects(fixture.run(['true'], { host }), {
    message: new RegExp(`^can't join IPC of container .*: container ${donor} is not running$`),
  });
  await containers.start(donor);
  const ran = await fixture.run(['sh', '-c', 'echo x > /dev/shm/mark; tr "\\0" " " < /proc/1/cmdline'], {
    host,
  });
  assert.deepEqual([ran.stderr, ran.stdout], ['', 'sleep 1000 ']);
  const again = await fixture.run(['cat', '/dev/shm/mark'], { host: { IpcMode: 'container:donor' } });
  assert.equal(again.stdout, 'x\n');
  await containers.remove(donor, { force: true });
  assert.deepEqual(fixture.mounts(), []);
});

test('the host’s processes and shared memory can be had', async () => {
  const ran = await fixture.run(['sh', '-c', 'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc'], {
    host: { PidMode: 'host', IpcMode: 'host' },
  });
  assert.equal(ran.stdout, `${readlinkSync('/proc/self/ns/pid')}\n${readlinkSync('/proc/self/ns/ipc')}\n`);
});

test('a container that takes more memory than it may is killed, and that is on record', async () => {
  const limit = 16 * 1024 * 1024;
  const hog = ['sh', '-c', 'head -c 100m /dev/zero | tail > /dev/null; exit $?'];
  const id = await fixture.create(hog, { host: { Memory: limit, MemorySwap: limit } });
  const ran = await runInForeground(fixture.engine, id);
  assert.equal(ran.code, 137);
  assert.partialDeepStrictEqual((await fixture.engine.containers.inspect(id)).State, {
    OOMKilled: true,
    ExitCode: 137,
  });
  await fixture.engine.containers.remove(id);
});

test('processes that outlive the first one, with the host’s process namespace, go with the container', async () => {
  const ran = await fixture.run(['sh', '-c', 'sleep 987654 & echo $!'], { host: { PidMode: 'host' } });
  const pid = Number(ran.stdout);
  assert.equal(ran.code, 0);
  assert.equal(commandLine(pid).includes('987654'), false);
});
