import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { wholeBlockRuns } from '../../src/archive/sparse.ts';
import { assembleTar } from '../../src/archive/tar-assemble.ts';
import { encodeHeader, endOfArchive, padding } from '../../src/archive/writer.ts';
import { dockerMissing, startDocker } from '../helpers/docker.ts';
import { member, named, opener, split } from './split-tools.ts';
import { entryOf, gather, patch, run, streamOf, tempDir } from './tar-tools.ts';

test('Docker 20.10 and we read and write the same', { timeout: 120_000 }, async (t) => {
  const obstacle = dockerMissing();
  if (obstacle !== undefined) {
    t.skip(obstacle);
    return;
  }
  await using docker = await startDocker();
  using temp = tempDir();
  const same = archivesForDocker();
  for (const [name, { archive, identical }] of Object.entries(same)) {
    const path = join(temp.path, 'layer.tar');
    writeFileSync(path, archive);
    await docker('import', path, `tsengine:${name}`);
    const digest = createHash('sha256').update(archive).digest('hex');
    const layer = join(docker.dataRoot, 'image/overlay2/layerdb/sha256', digest);
    const theirs = readFileSync(join(layer, 'tar-split.json.gz'));
    const ours = split(archive);
    assert.equal(gunzipSync(ours).equals(gunzipSync(theirs)), identical, `${name}: the same JSON`);
    const diff = join(docker.dataRoot, 'overlay2', readFileSync(join(layer, 'cache-id'), 'utf8'), 'diff');
    if (identical)
      assert.ok(
        (await gather(assembleTar(streamOf(theirs), opener(diff)))).equals(archive),
        `${name}: theirs`,
      );
    assert.ok((await gather(assembleTar(streamOf(ours), opener(diff)))).equals(archive), `${name}: ours`);
    writeFileSync(join(layer, 'tar-split.json.gz'), ours);
    const saved = join(temp.path, 'saved.tar');
    await docker('save', '-o', saved, `tsengine:${name}`);
    const layerTar = run('tar', ['-xOf', saved, '--wildcards', '*/layer.tar']);
    assert.ok(layerTar.equals(archive), `${name}: Docker gives back the archive from our file`);
  }
});

/** Archives that Docker takes, and whether its tar-split data and ours are to be the same. */
function archivesForDocker(): Record<string, { archive: Buffer; identical: boolean }> {
  const odd = [
    member({ type: 'directory', name: Buffer.from('etc') }),
    named('etc/a<b>&c', 'hello'),
    named('./etc/dot', 'x'.repeat(512)),
    named('etc/l\xe9tin\xff', 'raw'),
    named(Buffer.from('etc/caf\u00e9 \u2028 "q" \\ \t\x7f\b\f\x01').toString('latin1'), 'utf'),
    named(`etc/${'d'.repeat(120)}/${'e'.repeat(100)}`, 'long'),
    member({ type: 'symlink', name: Buffer.from('etc/link'), linkName: Buffer.from('a') }),
    member({ type: 'hardlink', name: Buffer.from('etc/hard'), linkName: Buffer.from('etc/dot') }),
    member({ type: 'fifo', name: Buffer.from('etc/fifo') }),
    member({ type: 'char', name: Buffer.from('etc/null'), devMajor: 1, devMinor: 3 }),
    named('etc/.wh.gone'),
    member(
      {
        name: Buffer.from('etc/x'),
        mtime: { sec: 5, nsec: 7 },
        xattrs: new Map([['user.b', Buffer.from([0, 255])]]),
      },
      'x',
    ),
    named('big', 'content '.repeat(100_000)),
  ];
  const comment = Buffer.from('13 comment=x\n');
  const global = Buffer.concat([
    patch(encodeHeader(entryOf({ name: Buffer.from('pax_global_header'), size: comment.length })), [
      156,
      'g',
    ]),
    comment,
    padding(comment.length),
  ]);
  const sparse = wholeBlockRuns([{ offset: 1_000_000, length: 5000 }], 5_000_000);
  const stored = Buffer.alloc(sparse[0]?.length ?? 0, 'sparse');
  using temp = tempDir();
  mkdirSync(join(temp.path, 'd'.repeat(90), 'e'.repeat(90)), { recursive: true });
  writeFileSync(join(temp.path, 'd'.repeat(90), 'e'.repeat(90), 'f'), 'GNU');
  const gnu = run('tar', ['--format=gnu', '-C', temp.path, '-cf', '-', '.']);
  return {
    odd: { archive: Buffer.concat([...odd, endOfArchive]), identical: true },
    unended: { archive: Buffer.concat(odd), identical: true },
    lonezero: { archive: Buffer.concat([...odd, Buffer.alloc(512)]), identical: true },
    padded: { archive: Buffer.concat([named('f', 'x'), endOfArchive, Buffer.alloc(7168)]), identical: true },
    global: { archive: Buffer.concat([global, named('f', 'x'), endOfArchive]), identical: true },
    gnu: { archive: gnu, identical: true },
    sparse: {
      archive: Buffer.concat([
        member({ name: Buffer.from('s'), size: 5_000_000, sparse }, stored),
        named('f', 'x'),
        endOfArchive,
      ]),
      identical: false,
    },
  };
}
