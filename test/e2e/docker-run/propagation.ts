/** The mount on which a data root lies, and whether what the host mounts below it later reaches containers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { MS_BIND, MS_PRIVATE, MS_SHARED, mount } from '../../../src/linux/mount.ts';
import { openCli } from '../../helpers/cli.ts';
import { isListed } from '../../helpers/differences.ts';
import { startDocker } from '../../helpers/docker.ts';
import { atExit, unmountBelow } from '../../helpers/loop.ts';
import { testRuntime } from '../../helpers/scope.ts';
import { tableImages } from './images.ts';

/** A folder that is a mount of its own. */
export interface MountedFolder extends Disposable {
  readonly path: string;
}

/** Makes a folder on a mount that is shared, as all of a host with systemd is, or private. */
export function folderOnMount(kind: 'shared' | 'private'): MountedFolder {
  const path = mkdtempSync(`${tmpdir()}/ts-table-`);
  const close = atExit(() => {
    unmountBelow(path);
    rmSync(path, { recursive: true, force: true });
  });
  mount({ source: path, target: path, flags: MS_BIND });
  mount({ target: path, flags: kind === 'shared' ? MS_SHARED : MS_PRIVATE });
  return { path, [Symbol.dispose]: close };
}

/** The words of docs/differences.md on it. */
const LISTED = 'Where the data root is not on a shared mount';

/** A container's root and a volume on a private mount: slaves of the host's with Docker, private with tsengine. */
export async function checkPrivateRoot(): Promise<void> {
  assert.ok(isListed(LISTED), 'docs/differences.md lists it');
  const archive = await tableImages();
  using folder = folderOnMount('private');
  await using docker = await startDocker({ parent: folder.path });
  await using cli = openCli('overlay2', folder.path);
  const run = [
    'run',
    '--rm',
    '--network',
    'none',
    '-v',
    'kept:/kept',
    'probe',
    'cat',
    '/proc/self/mountinfo',
  ];
  const loaded = await docker.try(['load', '-q'], archive);
  assert.equal(loaded.code, 0, loaded.stderr);
  cli.ok(['load', '-q'], { input: archive });
  // What is private stays so with crun; runc makes slaves of it.
  const theirs = testRuntime() === 'crun' ? [] : ['/', '/kept'];
  assert.deepEqual(slaves(await docker(...run)), theirs, 'no longer as listed: Docker');
  assert.deepEqual(slaves(cli.ok(run)), [], 'no longer as listed: tsengine');
}

/** Of the container's root and the volume, those that get what the host mounts. */
function slaves(mountinfo: string): string[] {
  const lines = mountinfo.split('\n').filter((line) => / master:\d+ .*- /.test(line));
  return lines.map((line) => line.split(' ')[4] ?? '');
}
