import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { TsengineError } from '../../../src/errors.ts';
import { sized, testRuntime } from '../../helpers/scope.ts';
import { eventually, type Fixture, openFixture, runInForeground } from './fixture.ts';

/** The runtime's folder has its name. */
const RUNTIME = testRuntime() ?? 'runc';

let fixture: Fixture;
before(async () => {
  fixture = await openFixture();
});
after(async () => {
  await fixture[Symbol.asyncDispose]();
});

function failsWith(exitCode: number | undefined, pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof TsengineError, String(error));
    assert.match(error.message, pattern);
    assert.equal(error.exitCode, exitCode);
    return true;
  };
}

test('output comes on its own streams, and the exit code is that of the command', async () => {
  const ran = await fixture.run(['sh', '-c', 'echo out; echo err >&2; exit 7']);
  assert.deepEqual([ran.code, ran.stdout, ran.stderr], [7, 'out\n', 'err\n']);
});

test('a container with AutoRemove leaves nothing: no files, layers, mounts or names', async () => {
  const layers = () => readdirSync(`${fixture.root.dataRoot}/image/overlay2/layerdb/mounts`);
  const before = layers();
  await fixture.run(['true'], { name: 'gone' });
  assert.deepEqual(layers(), before);
  assert.deepEqual(readdirSync(`${fixture.execRoot}/containers`), []);
  assert.deepEqual(readdirSync(`${fixture.execRoot}/runtimes/${RUNTIME}`), []);
  assert.deepEqual(fixture.mounts(), []);
  assert.equal((await fixture.run(['true'], { name: 'gone' })).code, 0);
});

test('a command that is not there gives 127, one that cannot be executed 126, and nothing runs or stays', async () => {
  const create = 'failed to create shim task: OCI runtime create failed: ';
  const missing =
    RUNTIME === 'crun'
      ? 'executable file `nosuch` not found in \\$PATH: No such file or directory: unknown'
      : 'runc create failed: .*exec: "nosuch": executable file not found in \\$PATH: unknown';
  await assert.rejects(fixture.run(['nosuch']), failsWith(127, new RegExp(`^${create}${missing}$`)));
  await assert.rejects(fixture.run(['/etc/passwd']), failsWith(126, /permission denied: unknown$/i));
  await assert.rejects(fixture.run(['/nosuch/x']), failsWith(127, /no such file or directory: unknown$/i));
  assert.deepEqual(await fixture.engine.containers.list({ all: true }), []);
  await eventually('conmon ends', () => fixture.monitors().length === 0);
});

test('a start that failed is on record as Docker has it', async () => {
  const id = await fixture.create(['nosuch']);
  await assert.rejects(fixture.engine.containers.start(id));
  const { State } = await fixture.engine.containers.inspect(id);
  assert.partialDeepStrictEqual(State, { Status: 'created', Running: false, ExitCode: 127 });
  assert.match(JSON.stringify(State), /executable file .*not found/);
  await fixture.engine.containers.remove(id);
});

test('a megabyte of input arrives, and its end as well', async () => {
  const input = Buffer.alloc(1024 * 1024, 'abcdefghij\n');
  const ran = await fixture.run(['sha256sum'], { input });
  assert.equal(ran.stdout, `${createHash('sha256').update(input).digest('hex')}  -\n`);
});

test('what the container did not want to read is nobody’s failure', async () => {
  const ran = await fixture.run(['sh', '-c', 'head -c 3; exit 2'], { input: 'abcdef' });
  assert.deepEqual([ran.code, ran.stdout], [2, 'abc']);
});

test('ten megabytes of output come out whole and in order', async () => {
  const script =
    'i=0; while [ $i -lt 10 ]; do head -c 1048576 /dev/zero | tr "\\0" "$(printf "\\\\$(printf %o $((97 + i % 26)))")"; i=$((i+1)); done';
  const ran = await fixture.run(['sh', '-c', script]);
  const expected = Array.from({ length: 10 }, (_, i) =>
    String.fromCharCode(97 + (i % 26)).repeat(1_048_576),
  ).join('');
  assert.equal(ran.stdout.length, expected.length);
  assert.ok(ran.stdout === expected);
});

test('the last words of a process that ends at once are not lost', async () => {
  const id = await fixture.create(['sh', '-c', 'echo first; echo second >&2; echo last']);
  for (let round = 0; round < sized(25, 5); round += 1) {
    const ran = await runInForeground(fixture.engine, id);
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, 'first\nlast\n', 'second\n']);
  }
  await fixture.engine.containers.remove(id);
});

test('user, working directory, environment, host name and the three files are as in Docker', async () => {
  const script =
    'id -u; pwd; echo $A $HOSTNAME $HOME; hostname; cat /etc/hostname; head -1 /etc/hosts; ls -d /.dockerenv';
  const ran = await fixture.run(['sh', '-c', script], {
    config: { User: 'nobody', WorkingDir: '/made/here', Env: ['A=b'], Hostname: 'box' },
  });
  assert.equal(ran.stderr, '');
  assert.match(
    ran.stdout,
    /^65534\n\/made\/here\nb box [^\n]*\nbox\nbox\n127\.0\.0\.1\tlocalhost\n\/\.dockerenv\n$/,
  );
});

test('a working directory that is a file, an unknown user and an unknown group are refused in Docker’s words', async () => {
  const run = (config: object) => fixture.run(['true'], { config });
  await assert.rejects(
    run({ WorkingDir: '/etc/passwd' }),
    /^TsengineError: Cannot mkdir: \/etc\/passwd is not a directory$/,
  );
  for (const path of [`/made/${'a'.repeat(300)}`, `/${'a'.repeat(300)}`]) {
    const message = `cannot use the path ${path} in the container: file name too long: a name may have 255 bytes, and a whole path 4095`;
    await assert.rejects(run({ WorkingDir: path }), { message });
  }
  await assert.rejects(
    run({ User: 'nouser' }),
    /unable to find user nouser: no matching entries in passwd file/,
  );
  await assert.rejects(
    run({ User: 'root:nogrp' }),
    /unable to find group nogrp: no matching entries in group file/,
  );
});

test('a read-only root, a tmpfs and binds do what they say; a missing source of -v is made, of --mount refused', async () => {
  const base = fixture.root.base;
  mkdirSync(`${base}/shared`);
  writeFileSync(`${base}/shared/file`, 'shared\n');
  const script =
    'touch /x 2>&1; touch /t/x && echo tmpfs; cat /ro/file; touch /ro/y 2>&1; echo w > /rw/new; ls -d /made';
  const ran = await fixture.run(['sh', '-c', script], {
    host: {
      ReadonlyRootfs: true,
      Tmpfs: { '/t': 'size=1m' },
      Binds: [`${base}/shared:/ro:ro`, `${base}/shared:/rw`, `${base}/missing:/made`],
    },
  });
  assert.equal(
    ran.stdout,
    'touch: /x: Read-only file system\ntmpfs\nshared\ntouch: /ro/y: Read-only file system\n/made\n',
  );
  assert.equal(readFileSync(`${base}/shared/new`, 'utf8'), 'w\n');
  assert.ok(statSync(`${base}/missing`).isDirectory());
  const Mounts = [{ Type: 'bind', Source: `${base}/nowhere`, Target: '/x' }];
  await assert.rejects(fixture.run(['true'], { host: { Mounts } }), /bind source path does not exist/);
  assert.ok(!existsSync(`${base}/nowhere`));
  rmSync(`${base}/shared`, { recursive: true });
});

test('a volume of an image is made, filled from the image, and goes with the container', async () => {
  const volumes = () => readdirSync(`${fixture.root.dataRoot}/volumes`).filter((name) => name.length === 64);
  const config = { Volumes: { '/etc': {} } };
  const id = await fixture.create(['sh', '-c', 'cat /etc/passwd | head -1; echo x > /etc/new'], { config });
  assert.equal(volumes().length, 1);
  assert.match((await runInForeground(fixture.engine, id)).stdout, /^root:/);
  assert.deepEqual(await fixture.engine.containers.changes(id), []);
  await fixture.engine.containers.remove(id, { volumes: true });
  assert.deepEqual(volumes(), []);
});

test('an init process reaps, and gets what is told to the container', async () => {
  const ran = await fixture.run(['sh', '-c', 'echo $$; tr "\\0" " " < /proc/1/cmdline'], {
    host: { Init: true },
  });
  assert.match(ran.stdout, /^\d+\n\/sbin\/docker-init -- sh -c/);
  assert.notEqual(ran.stdout.split('\n')[0], '1');
});

test('capabilities that this host lacks are left out with a warning', async () => {
  const ran = await fixture.run(['grep', 'CapEff', '/proc/self/status'], { host: { CapAdd: ['ALL'] } });
  assert.equal(ran.code, 0, ran.stderr);
  const own = /CapBnd:\s*([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const theirs = ran.stdout.split('\t')[1]?.trim() ?? '';
  assert.equal(BigInt(`0x${theirs}`) & ~BigInt(`0x${own}`), 0n);
});

test('neither our environment nor our descriptors reach a container', async () => {
  process.env.TSENGINE_TEST_SECRET = 'secret';
  try {
    const ran = await fixture.run(['sh', '-c', 'env; ls /proc/self/fd']);
    assert.doesNotMatch(ran.stdout, /secret|_OCI_|NODE/);
    assert.match(ran.stdout, /\n0\n1\n2\n3\n$/);
  } finally {
    delete process.env.TSENGINE_TEST_SECRET;
  }
});

test('what this version cannot do is refused in one line, and leaves nothing', async () => {
  const create = (host: object, config: object = {}) => fixture.create(['true'], { host, config });
  await assert.rejects(
    create({ NetworkMode: 'bridge' }),
    /network bridge is not supported yet: use --network none/,
  );
  await assert.rejects(
    create({ RestartPolicy: { Name: 'always' } }),
    /restart policy always is not supported yet/,
  );
  await assert.rejects(create({ Runtime: 'nosuch' }), /Unknown runtime specified nosuch/);
  await assert.rejects(create({}, { StopSignal: 'FOO' }), /Invalid signal: FOO/);
  await assert.rejects(create({}, { Cmd: [] }), /No command specified/);
  assert.deepEqual(await fixture.engine.containers.list({ all: true }), []);
});

test('a runtime that is not installed is one clear line', async () => {
  const id = await fixture.create(['true'], { host: { Runtime: '/nosuch/runtime' } });
  await assert.rejects(
    fixture.engine.containers.start(id),
    /OCI runtime \/nosuch\/runtime not found: install it/,
  );
  await fixture.engine.containers.remove(id);
});
