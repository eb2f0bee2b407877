/** SOCK_SEQPACKET, with a peer that is not ours. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { connectPacketSocket } from '../../src/linux/socket.ts';
import { tempDir } from '../archive/tar-tools.ts';

const PEER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1]); s.listen(1); print('ready', flush=True)
c, _ = s.accept()
while True:
    m = c.recv(100000)
    if not m:
        try: c.send(b'bye')
        except OSError: pass
        break
    if m == b'close': break
    c.send(b'<' + m + b'>')
c.close(); print('done', flush=True)
`;

async function peer(path: string): Promise<ChildProcessByStdio<null, Readable, null>> {
  const child = spawn('python3', ['-c', PEER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('messages keep their borders, and the end of one direction is heard', async () => {
  using folder = tempDir();
  const child = await peer(`${folder.path}/s`);
  try {
    const socket = connectPacketSocket(`${folder.path}/s`);
    const buffer = Buffer.alloc(70_000);
    await socket.send(Buffer.from('one'));
    await socket.send(Buffer.alloc(60_000, 'x'));
    assert.equal((await socket.receive(buffer))?.toString(), '<one>');
    assert.equal((await socket.receive(buffer))?.length, 60_002);
    await socket.send(Buffer.from('cut'));
    assert.equal((await socket.receive(Buffer.alloc(3)))?.toString(), '<cu');
    socket.endWrite();
    assert.equal((await socket.receive(buffer))?.toString(), 'bye');
    assert.equal(await socket.receive(buffer), undefined);
    socket.close();
    socket.close();
    assert.equal(await socket.receive(buffer), undefined);
  } finally {
    child.kill();
  }
});

test('a close wakes who waits, and a peer that is gone is an end', async () => {
  using folder = tempDir();
  const child = await peer(`${folder.path}/s`);
  try {
    const socket = connectPacketSocket(`${folder.path}/s`);
    const waiting = socket.receive(Buffer.alloc(10));
    setTimeout(() => socket.close(), 20);
    assert.equal(await waiting, undefined);
  } finally {
    child.kill();
  }
  using other = tempDir();
  const second = await peer(`${other.path}/s`);
  try {
    const socket = connectPacketSocket(`${other.path}/s`);
    await socket.send(Buffer.from('close'));
    await once(second, 'exit');
    await socket.send(Buffer.from('nobody'));
    assert.equal(await socket.receive(Buffer.alloc(10)), undefined);
    socket.close();
  } finally {
    second.kill();
  }
});

test('nobody there, and a path that is too long', () => {
  using folder = tempDir();
  assert.throws(() => connectPacketSocket(`${folder.path}/absent`), { code: 'ENOENT', syscall: 'connect' });
  assert.throws(() => connectPacketSocket(`/${'x'.repeat(107)}`), { code: 'ENAMETOOLONG' });
});

test('what a peer sent is there although it went without reading all that it was sent', async () => {
  using folder = tempDir();
  const child = await peer(`${folder.path}/s`);
  try {
    const socket = connectPacketSocket(`${folder.path}/s`);
    await socket.send(Buffer.from('one'));
    await socket.send(Buffer.from('close'));
    await socket.send(Buffer.from('unread'));
    await once(child, 'exit');
    const buffer = Buffer.alloc(100);
    assert.equal((await socket.receive(buffer))?.toString(), '<one>');
    assert.equal(await socket.receive(buffer), undefined);
    socket.close();
  } finally {
    child.kill();
  }
});
