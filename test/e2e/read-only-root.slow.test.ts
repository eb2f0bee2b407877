/**
 * `--read-only-root`: every command that it allows gives what Docker gives, on a root that a live dockerd works on and on
 * media that cannot be written, and not one file of the root is touched.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { isAlive } from '../../src/linux/processes.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { openCli } from '../helpers/cli.ts';
import { type Docker, dockerMissing, startDocker } from '../helpers/docker.ts';
import { dockerArchive, makeImage, manyLayers, streamOf } from '../helpers/images.ts';
import { makeFilesystem, unmountBelow } from '../helpers/loop.ts';
import { FULL } from '../helpers/scope.ts';
import { tarTree } from '../helpers/tar-tree.ts';
import { until } from '../helpers/until.ts';
import { listing } from './docker-roots/listing.ts';

const READ_ONLY = '--read-only-root';
const three = makeImage(manyLayers(3));
/** Adds, changes and deletes, replaces a directory that came from below, and says something on both streams. */
const CHANGES =
  'echo out; echo err >&2; echo new > /new; echo changed >> /etc/passwd; rm /bin/wget; rm -r /root; mkdir /root; ' +
  'echo in > /root/in; ln -s new /link; mkfifo /pipe; chmod 700 /tmp';

/** What a live dockerd may write by itself while it is looked at: nothing but sockets and the state of its networks. */
const DOCKERS_OWN = ['/network', '/buildkit', '/containerd', '/tsengine'];

async function fill(docker: Docker): Promise<void> {
  await docker('import', '-c', 'CMD ["sh"]', await tinyRootfs(), 'tiny:1');
  await docker.try(['load'], dockerArchive([{ image: three, tags: ['three:1', 'again:2'] }]));
  const run = ['run', '--network', 'none'];
  await docker(...run, '-d', '--name', 'live', 'tiny:1', 'sh', '-c', `${CHANGES}; exec sleep 1000`);
  await docker(...run, '--name', 'done', '-l', 'a=b', 'tiny:1', 'sh', '-c', `${CHANGES}; exit 3`).catch(
    () => {},
  );
  await docker('create', '--name', 'fresh', '--network', 'none', 'three:1', 'sh');
  // What `live` says last comes after what it did.
  await until(async () => (await docker('diff', 'live')).includes('/pipe'));
}

const parsed = (text: string): unknown => JSON.parse(text);
const lines = (text: string): string[] => text.trim().split('\n').toSorted();

/** Without what a live daemon knows and no file says. */
function withoutLive(answer: Buffer): unknown {
  return JSON.parse(answer.toString()).map(
    ({ NetworkSettings: _, ...rest }: Record<string, unknown>) => rest,
  );
}

/** A question that both are asked, and how an answer is made comparable. */
interface Question {
  readonly args: readonly string[];
  readonly form: (answer: Buffer) => unknown;
}

const asLines = (answer: Buffer): unknown => lines(answer.toString());
const asText = (answer: Buffer): unknown => answer.toString().trim();
const asJson = (answer: Buffer): unknown => parsed(answer.toString());
// Docker cuts times to seconds in an export.
const asTree = async (answer: Buffer): Promise<unknown> => cutTimes(await tarTree(streamOf(answer)));

const QUESTIONS: readonly Question[] = [
  { args: ['images', '--no-trunc', '--format', '{{.Repository}} {{.Tag}} {{.ID}} {{.Size}}'], form: asLines },
  { args: ['inspect', 'tiny:1', 'three:1', 'again:2'], form: asJson },
  {
    args: ['history', '--no-trunc', '--format', '{{.ID}} {{.CreatedBy}} {{.Size}} {{.Comment}}', 'three:1'],
    form: asText,
  },
  {
    args: ['ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}}'],
    form: asLines,
  },
  { args: ['inspect', '-s', 'live', 'done', 'fresh'], form: withoutLive },
  // One image each: Docker takes several in no order.
  { args: ['save', 'three:1', 'again:2'], form: asTree },
  { args: ['save', 'tiny:1'], form: asTree },
  { args: ['logs', 'live'], form: asText },
  { args: ['info', '--format', '{{.Images}} {{.ContainersRunning}}'], form: asText },
  ...['live', 'done', 'fresh'].flatMap((name) => [
    { args: ['diff', name], form: asLines },
    { args: ['export', name], form: asTree },
  ]),
];

/** Docker's answers, which make it write (it mounts what it exports). */
async function answersOf(docker: Docker): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const { args, form } of QUESTIONS) {
    const [program, ...words] = docker.command;
    const answer = execFileSync(program, [...words, ...args], {
      env: docker.env,
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    answers.push(await form(answer));
  }
  return answers;
}

function cutTimes(tree: Awaited<ReturnType<typeof tarTree>>): typeof tree {
  return new Map(
    [...tree].map(([name, entry]) => [name, { ...entry, mtime: entry.mtime.replace(/\..*/, '') }] as const),
  );
}

const REFUSED: readonly (readonly string[])[] = [
  ['commit', 'done', 'x:1'],
  ['create', 'tiny:1'],
  ['import', '-'],
  ['internal-exited', 'x'],
  ['kill', 'live'],
  ['load'],
  ['rm', '-f', 'done', 'live'],
  ['rmi', 'three:1'],
  ['run', '--rm', 'tiny:1', 'true'],
  ['start', 'done'],
  ['stop', 'live'],
  ['tag', 'tiny:1', 'x:1'],
];

describe('--read-only-root', { skip: dockerMissing() ?? false }, () => {
  for (const driver of ['overlay2', 'vfs']) {
    const skip = driver === 'vfs' && !FULL && 'npm run test:full; of overlay2 in every run';
    test(`${driver}: a live dockerd's root is refused by name, and can be looked at`, { skip }, async () => {
      await using cli = openCli(driver);
      await using docker = await startDocker({ dataRoot: cli.dataRoot, storageDriver: driver });
      try {
        await fill(docker);
        for (const command of [['images'], ['run', '--rm', 'tiny:1', 'true']]) {
          const refused = cli.run(command);
          assert.notEqual(refused.status, 0);
          assert.equal(
            refused.stderr.replace('tsengine: ', ''),
            `data root ${cli.dataRoot} is in use by dockerd (pid ${docker.pid}): stop it first, or look at it with --read-only-root\n`,
          );
        }
        const wanted = await answersOf(docker);
        const before = listing(cli.dataRoot, DOCKERS_OWN);
        for (const [index, { args, form }] of QUESTIONS.entries())
          assert.deepEqual(await form(cli.runBytes([READ_ONLY, ...args])), wanted[index], args.join(' '));
        assert.match(cli.ok([READ_ONLY, 'ps', '-f', 'name=live', '--format', '{{.Status}}']), /^Up /);
        assert.deepEqual(listing(cli.dataRoot, DOCKERS_OWN), before);
        assert.deepEqual(readdirSync(cli.dataRoot).includes('tsengine'), false);
        assert.deepEqual(
          cli.mounts().filter((path) => path.startsWith(cli.execRoot)),
          [],
        );
        for (const command of REFUSED) {
          const { status, stderr, stdout } = cli.run([READ_ONLY, ...command]);
          assert.equal(status, command[0] === 'run' ? 125 : 1, stderr);
          assert.equal(stdout, '');
          const path = `tsengine ${command[0]}`;
          assert.equal(
            stderr.replace('tsengine: ', ''),
            `'${path}' changes the data root, which --read-only-root forbids\n`,
          );
        }
        assert.deepEqual(listing(cli.dataRoot, DOCKERS_OWN), before);
      } finally {
        await docker.try(['rm', '-f', 'live']);
      }
    });

    test(`${driver}: what Docker left is the same on a disk that cannot be written`, { skip }, async () => {
      using disk = makeFilesystem('ext4');
      await using cli = openCli(driver, disk.path);
      let saved: unknown;
      let pid: number;
      {
        await using docker = await startDocker({ dataRoot: cli.dataRoot, storageDriver: driver });
        await fill(docker);
        const file = `${disk.path}/saved.tar`;
        await docker('save', '-o', file, 'three:1', 'again:2');
        saved = await tarTree(streamOf(readFileSync(file)));
        pid = Number(await docker('inspect', '-f', '{{.State.Pid}}', 'live'));
        await docker.stop('SIGKILL');
        process.kill(pid, 'SIGKILL');
        // Until then it keeps the disk open for writing.
        await until(() => !isAlive(pid));
      }
      // What a machine that lost its power has: no mounts.
      unmountBelow(cli.dataRoot);
      const before = listing(cli.dataRoot);
      const look = async (): Promise<void> => {
        const see = (...args: string[]): string => cli.ok([READ_ONLY, ...args]);
        assert.equal(lines(see('images', '-q')).length, 3);
        assert.match(see('ps', '-a', '--filter', 'name=live', '--format', '{{.Status}}'), /^Exited \(255\)/);
        assert.equal(see('inspect', '-f', '{{.State.Status}} {{.State.Pid}}', 'live').trim(), 'exited 0');
        assert.match(see('diff', 'live'), /^C \/root$/m);
        assert.match(see('logs', 'live'), /^out$/m);
        const exported = cli.runBytes([READ_ONLY, 'export', 'live']);
        const listed = execFileSync('tar', ['-t'], { input: exported }).toString();
        assert.match(listed, /^root\/in$/m);
        assert.doesNotMatch(listed, /^bin\/wget$/m);
        const archive = cli.runBytes([READ_ONLY, 'save', 'three:1', 'again:2']);
        assert.deepEqual(await tarTree(streamOf(archive)), saved);
      };
      execFileSync('mount', ['--bind', cli.dataRoot, cli.dataRoot]);
      execFileSync('mount', ['-o', 'remount,bind,ro', cli.dataRoot]);
      await look();
      unmountBelow(cli.dataRoot);
      assert.deepEqual(listing(cli.dataRoot), before);

      execFileSync('mount', ['-o', 'remount,ro', disk.path]);
      try {
        await look();
        const refused = cli.run(['images']);
        assert.equal(refused.status, 1);
        assert.match(
          refused.stderr,
          /^tsengine: data root .* is on a read-only file system: look at it with --read-only-root\n$/,
        );
      } finally {
        execFileSync('mount', ['-o', 'remount,rw', disk.path]);
      }
      assert.deepEqual(listing(cli.dataRoot), before);
    });
  }

  test('an export that is killed leaves no mount, and neither does one that runs', async () => {
    await using cli = openCli('overlay2');
    cli.ok(['import', await tinyRootfs(), 'tiny:1']);
    const id = cli.ok(['create', 'tiny:1', 'true']).trim();
    const [program = '', ...words] = cli.command;
    const child = spawn(program, [...words, READ_ONLY, 'export', id], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    // It has begun, and waits for somebody to read the rest.
    await once(child.stdout, 'readable');
    assert.deepEqual(cli.mounts(), []);
    child.kill('SIGKILL');
    await ended;
    assert.deepEqual(cli.mounts(), []);
    assert.ok(cli.runBytes([READ_ONLY, 'export', id]).length > 1 << 20);
    // A mount that a kill left in the few instructions before it is detached goes with the next export.
    const left = `${cli.execRoot}/overlay2/views/view`;
    mkdirSync(left);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', left]);
    assert.deepEqual(cli.mounts(), [left]);
    assert.ok(cli.runBytes([READ_ONLY, 'export', id]).length > 1 << 20);
    assert.deepEqual(cli.mounts(), []);
  });

  test('a root that is ours, while a container runs on it', async () => {
    await using cli = openCli('overlay2');
    cli.ok(['import', await tinyRootfs(), 'tiny:1']);
    cli.ok(['run', '-d', '--name', 'live', 'tiny:1', 'sh', '-c', `${CHANGES}; exec sleep 1000`]);
    await until(() => cli.ok(['diff', 'live']).includes('/pipe'));
    const before = listing(cli.dataRoot);
    assert.match(cli.ok([READ_ONLY, 'ps', '--format', '{{.Names}} {{.Status}}']), /^live Up /);
    assert.match(cli.ok([READ_ONLY, 'diff', 'live']), /^A \/root\/in$/m);
    const listed = execFileSync('tar', ['-t'], { input: cli.runBytes([READ_ONLY, 'export', 'live']) });
    assert.match(listed.toString(), /^root\/in$/m);
    assert.deepEqual(listing(cli.dataRoot), before);
    cli.ok(['rm', '-f', 'live']);
  });

  test('a short name of a layer that is gone is not put back, and not missed', async () => {
    await using cli = openCli('overlay2');
    cli.ok(['load'], { input: dockerArchive([{ image: three, tags: ['three:1'] }]) });
    const id = cli.ok(['create', 'three:1', 'true']).trim();
    const wanted = cli.runBytes([READ_ONLY, 'export', id]);
    for (const name of readdirSync(`${cli.dataRoot}/overlay2/l`))
      rmSync(`${cli.dataRoot}/overlay2/l/${name}`);
    const before = listing(cli.dataRoot);
    assert.deepEqual(cli.runBytes([READ_ONLY, 'export', id]), wanted);
    assert.deepEqual(listing(cli.dataRoot), before);
  });

  test('somebody who is not root reads what he may', async () => {
    await using cli = openCli('overlay2');
    cli.ok(['load'], { input: dockerArchive([{ image: three, tags: ['three:1'] }]) });
    const id = cli.ok(['create', '--name', 'fresh', 'three:1', 'true']).trim();
    const base = mkdtempSync(`${tmpdir()}/ts-ror-`);
    try {
      cpSync(cli.dataRoot, `${base}/copy`, { recursive: true, verbatimSymlinks: true });
      execFileSync('chmod', ['-R', 'a+rX', base]);
      const node = process.execPath;
      const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
      const see = (...args: string[]) =>
        execFileSync(
          'setpriv',
          [
            ...[
              '--reuid=65534',
              '--regid=65534',
              '--clear-groups',
              node,
              '--disable-warning=ExperimentalWarning',
            ],
            ...[main, '--data-root', `${base}/copy`, READ_ONLY, ...args],
          ],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        );
      const before = listing(`${base}/copy`);
      assert.equal(see('images', '--no-trunc', '-q').toString().trim(), three.id);
      assert.match(see('ps', '-a').toString(), /fresh/);
      assert.deepEqual(see('save', 'three:1'), cli.runBytes(['save', 'three:1']));
      assert.throws(() => see('export', id), /Command failed[\s\S]*tsengine: [^\n]*\n$/);
      assert.deepEqual(listing(`${base}/copy`), before);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  });

  test('a root that is not there, or is nobody’s, is refused and not made', () => {
    const base = mkdtempSync(`${tmpdir()}/ts-ror-`);
    try {
      writeFileSync(`${base}/file`, '');
      const command = new URL('../../bin/tsengine', import.meta.url).pathname;
      const say = (...args: string[]): string => {
        try {
          execFileSync(command, [READ_ONLY, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
        } catch (error) {
          if (error instanceof Error && 'stderr' in error) return String(error.stderr);
        }
        throw new Error('no failure');
      };
      assert.equal(
        say('--data-root', `${base}/no`, 'images'),
        `tsengine: data root ${base}/no does not exist: name another --data-root\n`,
      );
      assert.equal(
        say('--data-root', base, 'images'),
        `tsengine: data root ${base} holds nothing of tsengine's or Docker's: name another --data-root\n`,
      );
      assert.match(say('--data-root', base, '--exec-root', `${base}/e`, 'images'), /is in the data root/);
      assert.deepEqual(readdirSync(base), ['file']);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  });
});
