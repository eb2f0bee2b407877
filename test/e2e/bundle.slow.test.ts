import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';

/** What users run: the bundle, however new the sources are. A bundler can break what works from sources. */
const BUNDLE = { TSENGINE_SOURCES: '0' };

let cli: Cli;
before(() => {
  cli = openCli('overlay2');
});
after(async () => await cli[Symbol.asyncDispose]());

for (const [name, command] of [
  ['plain', 'cat'],
  ['gzip', 'gzip -1'],
  ['zstd', 'zstd -q'],
  ['xz', 'xz -0'],
] as const) {
  test(`the bundle imports, runs, saves and loads: ${name}`, async () => {
    const compress = (data: Buffer) =>
      execFileSync('sh', ['-c', command], { input: data, maxBuffer: 1 << 28 });
    const ok = (args: readonly string[], input?: Buffer) =>
      cli.ok(args, { env: BUNDLE, ...(input === undefined ? {} : { input }) });
    ok(['import', '-', `tiny:${name}`], compress(readFileSync(await tinyRootfs())));
    assert.equal(ok(['run', '--rm', `tiny:${name}`, 'echo', 'hello']), 'hello\n');
    const file = `${cli.dataRoot}/${name}.tar`;
    ok(['save', '-o', file, `tiny:${name}`]);
    ok(['rmi', `tiny:${name}`]);
    assert.equal(ok(['load'], compress(readFileSync(file))), `Loaded image: tiny:${name}\n`);
    assert.equal(ok(['run', '--rm', `tiny:${name}`, 'echo', 'again']), 'again\n');
  });
}

test('the bundle commits, exports, lists and inspects', () => {
  const ok = (args: readonly string[]) => cli.ok(args, { env: BUNDLE });
  ok(['run', '--name', 'one', 'tiny:plain', 'sh', '-c', 'echo new > /added; echo out; echo err >&2']);
  assert.equal(ok(['logs', 'one']), 'out\n');
  assert.equal(ok(['diff', 'one']), 'A /added\n');
  ok(['commit', 'one', 'mine:1']);
  assert.equal(ok(['run', '--rm', 'mine:1', 'cat', '/added']), 'new\n');
  ok(['export', '-o', `${cli.dataRoot}/one.tar`, 'one']);
  assert.match(ok(['ps', '-a', '--format', '{{.Names}} {{.Status}}']), /^one Exited \(0\)/);
  assert.equal(ok(['inspect', '--format', '{{.State.ExitCode}}', 'one']), '0\n');
  assert.equal(ok(['version', '--format', '{{.Client.Os}}']), 'linux\n');
  assert.match(ok(['info']), /Storage Driver: overlay2/);
  ok(['rm', 'one']);
});
