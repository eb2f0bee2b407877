/** One data root, in turns of Docker and tsengine: what the one made is whole for the other, and goes without a trace. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Cli, openCli } from '../helpers/cli.ts';
import { type Docker, dockerMissing, startDocker } from '../helpers/docker.ts';
import { storeState } from '../helpers/engine.ts';
import { dockerArchive, type MadeImage } from '../helpers/images.ts';
import { makeFilesystem, type TestFilesystem, unmountBelow } from '../helpers/loop.ts';
import { inFullRuns } from '../helpers/scope.ts';
import { until } from '../helpers/until.ts';
import {
  type Account,
  type Asked,
  account,
  CHANGING,
  dockerMakes,
  dockerRemovesAll,
  dockersAccount,
  IMAGES,
  MADE,
  runnable,
} from './docker-roots/docker-part.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/ts-roots-`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const AGAIN = 'new\nagain\nin\n/dir:\nin\n';

const ours = (cli: Cli, asked: Asked): Promise<Account> =>
  account(
    (...args) => cli.ok(args),
    (...names) => cli.runBytes(['save', ...names]),
    asked,
  );

/** The filesystem that a driver needs, where it is not this one. */
function placeFor(driver: string): TestFilesystem | undefined {
  return driver === 'btrfs' ? makeFilesystem('btrfs') : undefined;
}

/** The store has nothing of anybody's left. */
function assertEmpty(cli: Cli, driver: string): void {
  const { images, layers, mounts, driverLayers, temporary } = storeState(cli.dataRoot, driver);
  assert.deepEqual(
    { images, layers, mounts, driverLayers, temporary },
    { images: [], layers: [], mounts: [], driverLayers: [], temporary: [] },
  );
  const names = readFileSync(`${cli.dataRoot}/image/${driver}/repositories.json`, 'utf8');
  assert.equal(names, '{"Repositories":{}}');
  if (driver === 'overlay2') assert.deepEqual(readdirSync(`${cli.dataRoot}/overlay2/l`), []);
}

/** A container that Docker was running when it was killed. First it still runs, then it does not. */
async function liveOne(cli: Cli, pid: number): Promise<void> {
  const refused = cli.run(['start', 'live']);
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /container live still runs \(pid \d+\), started by Docker or under another exec root/,
  );
  process.kill(pid, 'SIGKILL');
  await until(() => cli.ok(['ps', '-q', '--filter', 'name=live']) === '');
}

async function startsDockers(cli: Cli): Promise<void> {
  const changed = cli.run(['start', '-a', 'changed']);
  assert.deepEqual([changed.status, changed.stdout], [3, AGAIN]);
  assert.match(changed.stderr, /wget: No such file/);
  assert.equal(cli.ok(['start', '-a', 'volumes']), 'line\nline\n');
  cli.ok(['start', 'live']);
  await until(() => cli.ok(['logs', 'live']).endsWith('up\nup\n'));
  cli.ok(['stop', '-t', '0', 'live']);
  const built = cli.run(['run', '--rm', 'built:1']);
  assert.deepEqual([built.status, built.stdout], [1, 'copied\nran\nyes\n']);
  const committed = cli.run(['run', '--rm', 'committed:1']);
  assert.deepEqual([committed.status, committed.stdout], [3, AGAIN]);
}

/** tsengine's part: adds an image, a container with changes, a commit, a tag; removes a container and an image. */
function weAdd(cli: Cli, image: MadeImage): void {
  cli.ok(['load'], { input: dockerArchive([{ image, tags: ['added:1'] }]) });
  assert.equal(cli.run(['run', '--name', 'ours', 'added:1', 'sh', '-c', CHANGING]).status, 3);
  cli.ok(['commit', '-m', 'by us', '-c', 'ENV C=d', 'ours', 'our-commit:1']);
  cli.ok(['tag', 'one:1', 'extra:5']);
  const used = cli.run(['rmi', 'forty:1']);
  assert.equal(used.status, 1);
  assert.match(
    used.stderr,
    /unable to remove repository reference "forty:1" .* container [0-9a-f]{12} is using/,
  );
  cli.ok(['rm', 'fresh']);
  cli.ok(['rmi', 'gone:1']);
}

const AFTER: Asked = {
  images: [...IMAGES.filter((name) => name !== 'gone:1'), 'added:1', 'our-commit:1', 'extra:5'],
  containers: ['changed', 'volumes', 'ours', 'live'],
  alone: ['added:1', 'our-commit:1'],
};

/** Docker finds all that we left and can run it. */
async function dockerFinds(docker: Docker, left: Account): Promise<void> {
  const found = await dockersAccount(docker, folder, AFTER);
  assert.deepEqual(found, left);
  const started = await docker.try(['start', '-a', 'ours']);
  assert.deepEqual([started.code, started.stdout], [3, AGAIN]);
  const changed = await docker.try(['start', '-a', 'changed']);
  assert.deepEqual([changed.code, changed.stdout], [3, AGAIN.replace('again\n', 'again\nagain\n')]);
  assert.equal(await docker('start', '-a', 'volumes'), 'line\nline\nline');
  const committed = await docker.try(['run', '--rm', '--network', 'none', 'our-commit:1']);
  assert.deepEqual([committed.code, committed.stdout], [3, AGAIN]);
  assert.equal(await docker('run', '--rm', '--network', 'none', 'extra:5', 'echo', 'one'), 'one');
}

describe('a data root of both', { skip: dockerMissing() ?? false }, () => {
  for (const driver of ['overlay2', 'btrfs', 'vfs']) {
    for (const how of ['SIGTERM', 'SIGKILL'] as const) {
      // Each takes minutes beside other tests, and what a clean end leaves is less than what a kill does.
      const isLong = driver !== 'overlay2' || how === 'SIGTERM';
      const skip = isLong && inFullRuns('overlay2, ended by SIGKILL, in every run');
      test(`${driver}: made by Docker, which ended by ${how}`, { skip }, async () => {
        using place = placeFor(driver);
        await using cli = openCli(driver, place?.path);
        // A dockerd that is killed leaves its data root mounted on itself.
        using _ = { [Symbol.dispose]: () => unmountBelow(cli.dataRoot) };
        const image = await runnable(4, 'ours');
        let wanted: Account;
        let pid: number;
        {
          await using docker = await startDocker({ dataRoot: cli.dataRoot, storageDriver: driver });
          await dockerMakes(docker);
          wanted = await dockersAccount(docker, folder);
          pid = Number(await docker('inspect', '-f', '{{.State.Pid}}', 'live'));
          await docker.stop(how);
        }
        if (how === 'SIGKILL') {
          assert.equal(
            cli.mounts().some((path) => path.endsWith('/merged')),
            driver === 'overlay2',
          );
          await liveOne(cli, pid);
        }
        assert.deepEqual(await ours(cli, MADE), wanted);
        const status = cli.ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'live']).trim();
        assert.equal(status, how === 'SIGKILL' ? 'exited 255' : 'exited 137');
        await startsDockers(cli);
        weAdd(cli, image);
        assert.deepEqual(
          cli.mounts().filter((path) => path.endsWith('/merged')),
          [],
        );
        const left = await ours(cli, AFTER);
        {
          await using docker = await startDocker({ dataRoot: cli.dataRoot, storageDriver: driver });
          await dockerFinds(docker, left);
          await dockerRemovesAll(docker);
        }
        assertEmpty(cli, driver);
      });
    }

    const kept = driver !== 'overlay2' && inFullRuns('overlay2 in every run');
    test(`${driver}: made by tsengine`, { skip: kept }, async () => {
      using place = placeFor(driver);
      await using cli = openCli(driver, place?.path);
      const image = await runnable(3, 'mine');
      cli.ok(['load'], { input: dockerArchive([{ image, tags: ['mine:1', 'also:2'] }]) });
      assert.equal(cli.run(['run', '--name', 'ours', 'mine:1', 'sh', '-c', CHANGING]).status, 3);
      cli.ok(['commit', 'ours', 'our-commit:1']);
      const images = ['mine:1', 'also:2', 'our-commit:1'];
      const asked = { images, containers: ['ours'], alone: images };
      const left = await ours(cli, asked);
      {
        await using docker = await startDocker({ dataRoot: cli.dataRoot, storageDriver: driver });
        assert.deepEqual(await dockersAccount(docker, folder, asked), left);
        const again = await docker.try(['start', '-a', 'ours']);
        assert.deepEqual([again.code, again.stdout], [3, AGAIN]);
        await docker('commit', 'ours', 'theirs:1');
        const script = 'cat /new; echo theirs > /theirs';
        await docker('run', '--network', 'none', '--name', 'theirs', 'our-commit:1', 'sh', '-c', script);
        await docker('rmi', 'also:2');
      }
      assert.match(cli.ok(['diff', 'theirs']), /^A \/theirs$/m);
      assert.equal(cli.ok(['start', '-a', 'theirs']), 'new\n');
      const ran = cli.run(['run', '--rm', 'theirs:1']);
      assert.deepEqual([ran.status, ran.stdout], [3, AGAIN.replace('again\n', 'again\nagain\n')]);
      cli.ok(['rm', 'ours', 'theirs']);
      cli.ok(['rmi', 'mine:1', 'our-commit:1', 'theirs:1']);
      assertEmpty(cli, driver);
    });
  }
});
