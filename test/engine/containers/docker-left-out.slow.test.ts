import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { dockerMissing, startDocker } from '../../helpers/docker.ts';

const launcher = fileURLToPath(new URL('../../../bin/tsengine', import.meta.url));

test('what Docker’s container asks for and does not get here is said when it starts', {
  skip: dockerMissing() ?? false,
}, async () => {
  const base = mkdtempSync(`${tmpdir()}/ts-leftout-`);
  const roots = ['--data-root', `${base}/data`, '--exec-root', `${base}/exec`, '-s', 'overlay2'];
  const tsengine = (...words: string[]) => spawnSync(launcher, [...roots, ...words], { encoding: 'utf8' });
  try {
    {
      await using docker = await startDocker({ dataRoot: `${base}/data` });
      await docker('import', await tinyRootfs(), 'tiny:latest');
      const asked = ['--restart', 'always', '--health-cmd', 'true', '-p', '127.0.0.1:8080:80'];
      await docker('create', '--name', 'asks', ...asked, 'tiny', 'echo', 'ran');
      await docker('create', '--name', 'plain', '--network', 'none', 'tiny', 'echo', 'ran');
    }
    const asks = tsengine('start', '-a', 'asks');
    assert.deepEqual([asks.status, asks.stdout], [0, 'ran\n']);
    assert.equal(
      asks.stderr,
      'WARNING: container asks: tsengine does not carry out its restart policy, health check and published ports yet\n',
    );
    const plain = tsengine('start', '-a', 'plain');
    assert.deepEqual([plain.status, plain.stdout, plain.stderr], [0, 'ran\n', '']);
    assert.equal(tsengine('rm', 'asks', 'plain').status, 0);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
