import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { test } from 'node:test';

const scripts = resolve(import.meta.dirname, '../../scripts');
const TOOLS = ['strace', 'podman', 'skopeo', 'umoci'];

/** Runs peers.sh where these tools work and fetching Docker ends as it does in this script. */
function peers(tools: readonly string[], docker: string) {
  const root = mkdtempSync(`${tmpdir()}/ts-peers-`);
  try {
    for (const name of ['bin', 'scripts']) mkdirSync(`${root}/${name}`);
    for (const name of ['lib.sh', 'peers.sh']) copyFileSync(`${scripts}/${name}`, `${root}/scripts/${name}`);
    writeFileSync(`${root}/scripts/docker-peer.sh`, docker);
    for (const name of ['sh', 'dirname', 'tail', 'sed', 'id', 'stat'])
      symlinkSync(`/usr/bin/${name}`, `${root}/bin/${name}`);
    for (const name of TOOLS)
      symlinkSync(`/usr/bin/${tools.includes(name) ? 'true' : 'false'}`, `${root}/bin/${name}`);
    const env = { ...process.env, PATH: `${root}/bin` };
    return spawnSync('/bin/sh', [`${root}/scripts/peers.sh`], { env, encoding: 'utf8' });
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('a run of all tests wants all programs to compare with, and says in one line which it lacks', () => {
  const { status, stderr } = peers(TOOLS, 'echo /');
  assert.deepEqual([status, stderr], [0, '']);
  for (const tool of TOOLS) {
    const lacking = peers(
      TOOLS.filter((name) => name !== tool),
      'echo /',
    );
    assert.notEqual(lacking.status, 0);
    assert.match(lacking.stderr, new RegExp(`^tsengine: cannot compare with ${tool}: .*\\n$`));
  }
  const alone = peers(TOOLS, 'echo "E: no route" >&2; echo "tsengine: cannot fetch it" >&2; exit 1');
  assert.notEqual(alone.status, 0);
  assert.match(alone.stderr, /^tsengine: cannot compare with Docker 20\.10\.24: cannot fetch it \(npm.*\n$/);
});
