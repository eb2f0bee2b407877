/** Plain files, locks, trees that go, faults, threads' own directories, structures that must not be misread. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { errnoNumber, SyscallError } from '../../src/linux/errno.ts';
import { armFaults, callCounts, parseFaults } from '../../src/linux/fault.ts';
import * as files from '../../src/linux/files.ts';
import { lockFile, tryLockDirectory, tryLockFile } from '../../src/linux/flock.ts';
import { checkedLayout } from '../../src/linux/libc.ts';
import { MNT_DETACH, mount, unmount } from '../../src/linux/mount.ts';
import { inUserNamespace, umask } from '../../src/linux/namespaces.ts';
import { cString, joinPath, printablePath } from '../../src/linux/path.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { fstat, lstat } from '../../src/linux/stat.ts';
import { tempDir } from '../archive/tar-tools.ts';
import { FROM_SOURCES } from '../helpers/compiled-tests.ts';

afterEach(() => armFaults([]));

test('a file is replaced in one step, or not at all', () => {
  using folder = tempDir();
  const path = `${folder.path}/f`;
  files.writeFileAtomic(path, 'one', { mode: 0o640 });
  assert.deepEqual([files.readText(path), lstat(path).mode & 0o777], ['one', 0o640]);
  armFaults([]);
  for (const call of ['open', 'write', 'fsync', 'rename']) {
    armFaults([{ call, nth: 1, action: 'ENOSPC' }]);
    assert.throws(() => files.writeFileAtomic(path, 'two'), { code: 'ENOSPC', syscall: call });
    assert.equal(readFileSync(path, 'utf8'), 'one');
    assert.deepEqual(readdirSync(folder.path), ['f'], call);
  }
});

test('a process that is killed in it leaves the old file or the new one', () => {
  using folder = tempDir();
  const path = `${folder.path}/f`;
  const script = `import { writeFileAtomic } from ${JSON.stringify(new URL('../../src/linux/files.ts', import.meta.url).href)};
    writeFileAtomic(${JSON.stringify(path)}, 'new');`;
  const run = (env: Record<string, string>) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, ...FROM_SOURCES, ...env },
    });
  files.writeFileAtomic(path, 'old');
  assert.equal(run({ TSENGINE_FAULT_LOG: `${folder.path}/log` }).status, 0);
  const calls = readFileSync(`${folder.path}/log`, 'utf8').trim().split('\n');
  assert.deepEqual(calls, ['open', 'write', 'fsync', 'rename', 'open', 'fsync']);
  for (let nth = 1; nth <= calls.length; nth++) {
    files.writeFileAtomic(path, 'old');
    assert.equal(run({ TSENGINE_FAULT: `*:${nth}:kill` }).signal, 'SIGKILL');
    assert.equal(files.readText(path), nth <= 4 ? 'old' : 'new', `killed before call ${nth}`);
  }
});

test('faults by number, from a number on, and of any call', () => {
  using folder = tempDir();
  const path = `${folder.path}/d`;
  armFaults(parseFaults('mkdir:2:EDQUOT,rmdir:1+:EBUSY'));
  files.makeDirectory(`${path}1`);
  assert.throws(() => files.makeDirectory(`${path}2`), {
    code: 'EDQUOT',
    message: `mkdir ${path}2: disk quota exceeded`,
  });
  files.makeDirectory(`${path}2`);
  for (let i = 0; i < 3; i++) assert.throws(() => files.removeDirectory(`${path}1`), { code: 'EBUSY' });
  assert.deepEqual([callCounts().get('mkdir'), callCounts().get('rmdir'), callCounts().get('*')], [3, 3, 6]);
  armFaults([{ call: '*', nth: 2, action: 'EIO' }]);
  files.readText(`/proc/self/status`);
  assert.throws(() => files.removeDirectory(`${path}1`), { code: 'EIO' });
  for (const bad of ['', 'mkdir', 'mkdir:0:EIO', 'mkdir:1:eio', 'a b:1:EIO', 'other:mkdir:1:EIO']) {
    assert.throws(() => parseFaults(bad), TypeError, bad);
  }
});

test('faults of one thread, and whose calls they were', () => {
  using folder = tempDir();
  const source = JSON.stringify(new URL('../../src/linux/files.ts', import.meta.url).href);
  const script = `import { listDirectory } from ${source};
    import { Worker } from 'node:worker_threads';
    const look = (who) => { try { listDirectory('/'); } catch (error) { console.log(who + ' ' + error.code); } };
    look('main');
    const worker = "import { listDirectory } from '" + ${source} + "'; (" + look + ")('worker');";
    new Worker(new URL('data:text/javascript,' + encodeURIComponent(worker)));`;
  const log = `${folder.path}/log`;
  const run = (fault: string) => {
    const env = { ...process.env, ...FROM_SOURCES, TSENGINE_FAULT: fault, TSENGINE_FAULT_LOG: log };
    return spawnSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' });
  };
  assert.equal(run('main:readdir:1:EIO').stdout, 'main EIO\n');
  assert.equal(run('worker:*:1:EIO').stdout, 'worker EIO\n');
  assert.equal(run('readdir:1:EIO').stdout, 'main EIO\nworker EIO\n');
  assert.equal(readFileSync(log, 'utf8'), 'readdir\nworker:readdir\n'.repeat(3));
  assert.deepEqual(
    [run('worker:readdir:1:kill').signal, run('worker:readdir:2:kill').signal],
    ['SIGKILL', null],
  );
});

test('a lock whose file cannot be removed is released all the same', () => {
  using folder = tempDir();
  const path = `${folder.path}/lock`;
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  for (const call of ['unlink', 'flock']) {
    const lock = tryLockFile(path, 'exclusive', { ephemeral: true });
    armFaults([{ call, nth: 1, action: 'EIO' }]);
    lock?.release();
    armFaults([]);
    assert.deepEqual([existsSync(path), open()], [true, before], call);
  }
  armFaults([{ call: 'open', nth: 1, action: 'ENOSPC' }]);
  assert.throws(() => tryLockFile(path, 'exclusive'), { code: 'ENOSPC' });
  armFaults([]);
  tryLockFile(path, 'exclusive', { ephemeral: true })?.release();
  assert.equal(existsSync(path), false);
});

test('small helpers on files', () => {
  using folder = tempDir();
  const path = `${folder.path}/x`;
  assert.equal(files.readTextIfAny(path), undefined);
  assert.deepEqual([files.listDirectory(path), files.pathExists(path)], [[], false]);
  files.removeFile(path);
  files.makeSymlink('nowhere', path);
  assert.equal(files.pathExists(path), true);
  files.makeDirectories(`${folder.path}/a/b/c`);
  files.makeDirectories(`${folder.path}/a/b/c`);
  files.writeNewFile(`${folder.path}/a/n`, 'n');
  assert.throws(() => files.writeNewFile(`${folder.path}/a/n`, 'm'), {
    code: 'EEXIST',
    name: 'SyscallError',
  });
  assert.throws(() => files.readFile(`${folder.path}/absent`), {
    message: `read ${folder.path}/absent: no such file or directory`,
  });
});

test('locks exclude other processes, shared ones do not, and go with their holder', async () => {
  using folder = tempDir();
  const path = `${folder.path}/lock`;
  const script = `import { lockFile } from ${JSON.stringify(new URL('../../src/linux/flock.ts', import.meta.url).href)};
    await lockFile(${JSON.stringify(path)}, process.argv[1]); console.log('held'); setInterval(() => {}, 1000);`;
  for (const mode of ['exclusive', 'shared'] as const) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...FROM_SOURCES },
    });
    try {
      await once(child.stdout, 'data');
      assert.equal(tryLockFile(path, 'exclusive'), undefined);
      const shared = tryLockFile(path, 'shared');
      assert.equal(shared === undefined, mode === 'exclusive');
      shared?.release();
      const waiting = lockFile(path, 'exclusive');
      const first = await Promise.race([
        waiting.then(() => 'held'),
        new Promise((resolve) => setTimeout(() => resolve('waits'), 60)),
      ]);
      assert.equal(first, 'waits');
      child.kill('SIGKILL');
      using mine = await waiting;
      mine.release();
    } finally {
      child.kill('SIGKILL');
    }
  }
});

test('an ephemeral lock file is removed, and who waits for it gets a new one', async () => {
  using folder = tempDir();
  const path = `${folder.path}/lock`;
  const held = tryLockFile(path, 'exclusive', { ephemeral: true });
  assert.ok(held);
  const waiting = lockFile(path, 'exclusive', { ephemeral: true });
  setTimeout(() => held.release(), 30);
  using next = await waiting;
  assert.ok(existsSync(path));
  assert.equal(tryLockFile(path, 'shared'), undefined);
  next.release();
  assert.equal(existsSync(path), false);
  const folderLock = tryLockDirectory(folder.path, 'exclusive', folder.path);
  assert.ok(folderLock);
  assert.equal(tryLockDirectory(folder.path, 'shared', folder.path), undefined);
  folderLock.release();
  assert.ok(existsSync(folder.path));
});

test('a tree goes with all that is in it, and nothing else', () => {
  using folder = tempDir();
  using outside = tempDir();
  writeFileSync(`${outside.path}/kept`, 'kept');
  const root = `${folder.path}/tree`;
  const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a, 0x80])]);
  mkdirSync(odd, { recursive: true });
  writeFileSync(Buffer.concat([odd, Buffer.from('/f\xfe', 'latin1')]), '');
  symlinkSync(outside.path, `${root}/link`);
  linkSync(`${outside.path}/kept`, `${root}/hard`);
  let deep = root;
  for (let i = 0; i < 700; i++) deep += '/d';
  mkdirSync(deep, { recursive: true });
  writeFileSync(`${deep}/f`, '');
  removeTree(root);
  removeTree(root);
  assert.deepEqual(readdirSync(folder.path), []);
  assert.equal(readFileSync(`${outside.path}/kept`, 'utf8'), 'kept');
  symlinkSync(outside.path, root);
  removeTree(root);
  writeFileSync(root, '');
  removeTree(root);
  assert.deepEqual([readdirSync(folder.path), readdirSync(outside.path)], [[], ['kept']]);
});

test('a tree with a mount in it stays', () => {
  using folder = tempDir();
  mkdirSync(`${folder.path}/t/m`, { recursive: true });
  mount({ source: 'none', target: `${folder.path}/t/m`, type: 'tmpfs' });
  try {
    writeFileSync(`${folder.path}/t/m/f`, '');
    assert.throws(() => removeTree(`${folder.path}/t`), { code: 'EBUSY' });
  } finally {
    unmount(`${folder.path}/t/m`, MNT_DETACH);
  }
  removeTree(`${folder.path}/t`);
});

test('a thread can have a directory and a mask of its own', async () => {
  const source = new URL('../../src/linux/namespaces.ts', import.meta.url).href;
  const folder = mkdtempSync(join(tmpdir(), 'tsengine-thread-'));
  const before = process.cwd();
  const mask = umask(0o022);
  const worker = new Worker(
    new URL(
      `data:text/javascript,${encodeURIComponent(`
        import { chdir, CLONE_FS, umask, unshare } from ${JSON.stringify(source)};
        import { mkdirSync, writeFileSync } from 'node:fs';
        unshare(CLONE_FS); chdir(${JSON.stringify(folder)}); umask(0);
        writeFileSync('here', '', { mode: 0o666 });`)}`,
    ),
  );
  await once(worker, 'exit');
  assert.equal(lstat(`${folder}/here`).mode & 0o777, 0o666);
  assert.equal(process.cwd(), before);
  assert.equal(umask(mask), 0o022);
  removeTree(folder);
  assert.equal(
    inUserNamespace(),
    readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).join(' ') !== '0 0 4294967295',
  );
});

test('a structure that is laid out otherwise is not read', () => {
  assert.equal(
    checkedLayout('good', 16, [
      ['a', 'uint32_t', 0],
      ['b', 'uint64_t', 8],
    ]),
    16,
  );
  assert.throws(
    () =>
      checkedLayout('size', 12, [
        ['a', 'uint32_t', 0],
        ['b', 'uint64_t', 8],
      ]),
    /struct size has 16 bytes here, 12 expected/,
  );
  assert.throws(
    () =>
      checkedLayout('place', 16, [
        ['a', 'uint32_t', 0],
        ['b', 'uint64_t', 4],
      ]),
    /struct place\.b is at 8 here, 4 expected/,
  );
});

test('errors by number and by name', () => {
  assert.equal(errnoNumber('ENOSPC'), 28);
  assert.equal(errnoNumber('EWHAT'), undefined);
  assert.equal(new SyscallError('call', 28, { path: 'p' }).message, 'call p: no space left on device');
  assert.equal(new SyscallError('call', 4242).message, 'call: error 4242');
  assert.throws(() => fstat(-1), { code: 'EBADF' });
});

test('paths for the kernel and for people', () => {
  assert.deepEqual(cString('ä'), Buffer.from('ä\0'));
  assert.throws(() => cString('a\0'), TypeError);
  assert.throws(() => cString(Buffer.from([0])), TypeError);
  assert.equal(printablePath('plain ä 漢'), 'plain ä 漢');
  assert.equal(printablePath(Buffer.from([0x61, 0xff, 0x0a, 0x7f])), 'a\\xff\\x0a\\x7f');
  assert.equal(printablePath('\u0085\u001b[2J'), '\\x85\\x1b[2J');
  assert.equal(printablePath('a\u202etxt.sh'), 'a\\u{202e}txt.sh');
  assert.equal(joinPath('a', 'b'), 'a/b');
  assert.deepEqual(joinPath(Buffer.from([0xff]), 'b'), Buffer.from([0xff, 0x2f, 0x62]));
});
