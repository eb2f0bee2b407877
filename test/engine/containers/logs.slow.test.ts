import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { LogsOptions } from '../../../src/engine/api/services.ts';
import { parseCriLine, parseJsonLine } from '../../../src/engine/containers/log-lines.ts';
import { TailSearch } from '../../../src/engine/containers/log-tail.ts';
import { type Fixture, openFixture, runInForeground } from './fixture.ts';

let fixture: Fixture;
let id: string;
before(async () => {
  fixture = await openFixture();
  id = await fixture.create([
    'sh',
    '-c',
    'echo one; echo two >&2; sleep 0.1; printf thr; sleep 0.1; echo ee; printf end',
  ]);
  await runInForeground(fixture.engine, id);
});
after(async () => {
  await fixture[Symbol.asyncDispose]();
});

async function logs(container: string, options: LogsOptions = {}) {
  const parts = { stdout: '', stderr: '' };
  for await (const { stream, data } of fixture.engine.containers.logs(container, options)) {
    parts[stream] += data.toString();
  }
  return parts;
}

test('logs give back what was written, each stream byte for byte, without a newline that was not there', async () => {
  assert.deepEqual(await logs(id), { stdout: 'one\nthree\nend', stderr: 'two\n' });
});

test('tail counts lines of the container, however many pieces the log has', async () => {
  assert.deepEqual(await logs(id, { tail: 0 }), { stdout: '', stderr: '' });
  assert.deepEqual(await logs(id, { tail: 1 }), { stdout: 'end', stderr: '' });
  assert.deepEqual(await logs(id, { tail: 2 }), { stdout: 'three\nend', stderr: '' });
  assert.deepEqual(await logs(id, { tail: 3 }), { stdout: 'three\nend', stderr: 'two\n' });
  assert.deepEqual(await logs(id, { tail: 99 }), { stdout: 'one\nthree\nend', stderr: 'two\n' });
});

test('a time stands before each line, once, with nine digits', async () => {
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z`;
  const { stdout } = await logs(id, { timestamps: true });
  assert.match(stdout, new RegExp(`^${time} one\n${time} three\n${time} end$`));
});

test('since and until cut by time', async () => {
  const { stdout } = await logs(id, { timestamps: true });
  const [, second = ''] = stdout.split('\n');
  const at = second.split(' ')[0] ?? '';
  assert.deepEqual(await logs(id, { since: at }), { stdout: 'three\nend', stderr: '' });
  assert.equal((await logs(id, { until: '1' })).stdout, '');
  assert.equal((await logs(id, { since: '1h' })).stdout, 'one\nthree\nend');
  assert.equal((await logs(id, { since: '2100-01-01' })).stdout, '');
});

test('follow shows what comes and ends with the container', async () => {
  const running = await fixture.create(['sh', '-c', 'echo a; sleep 0.4; echo b; sleep 0.2; echo c']);
  await fixture.engine.containers.start(running);
  assert.deepEqual(await logs(running, { follow: true }), { stdout: 'a\nb\nc\n', stderr: '' });
  assert.equal((await logs(running, { follow: true, tail: 1 })).stdout, 'c\n');
  await fixture.engine.containers.wait(running);
  await fixture.engine.containers.remove(running);
});

test('a container with the log driver none has no logs', async () => {
  const silent = await fixture.create(['echo', 'x'], { host: { LogConfig: { Type: 'none', Config: {} } } });
  assert.equal((await runInForeground(fixture.engine, silent)).stdout, 'x\n');
  await assert.rejects(logs(silent), { message: 'configured logging driver does not support reading' });
  await fixture.engine.containers.remove(silent);
});

test('a log that Docker wrote is read before ours', async () => {
  const old = await fixture.create(['echo', 'ours']);
  const lines = [
    '{"log":"theirs\\n","stream":"stdout","time":"2020-01-01T00:00:00.5Z"}',
    '{"log":"cut off by a cra',
  ];
  writeFileSync(`${fixture.root.dataRoot}/containers/${old}/${old}-json.log`, `${lines.join('\n')}\n`);
  await runInForeground(fixture.engine, old);
  assert.deepEqual(await logs(old), { stdout: 'theirs\nours\n', stderr: '' });
  assert.deepEqual(await logs(old, { tail: 1 }), { stdout: 'ours\n', stderr: '' });
  assert.deepEqual(
    await logs(old, { tail: 2, timestamps: true }).then(({ stdout }) => stdout.slice(0, 30)),
    '2020-01-01T00:00:00.500000000Z',
  );
  await fixture.engine.containers.remove(old);
});

/** Lines of Docker's log; each text is one entry, and ends its line or not. */
function dockerLines(...texts: string[]): string {
  return texts
    .map((text) => JSON.stringify({ log: text, stream: 'stdout', time: `2020-01-01T00:00:0${text[0]}.5Z` }))
    .map((line) => `${line}\n`)
    .join('');
}

test('rotated logs of Docker are read oldest first, compressed or not, and a line may go from one to the next', async () => {
  const old = await fixture.create(['echo', 'ours']);
  const log = `${fixture.root.dataRoot}/containers/${old}/${old}-json.log`;
  writeFileSync(`${log}.10.gz`, gzipSync(dockerLines('1\n', '2 be')));
  writeFileSync(`${log}.3`, dockerLines('2 mid'));
  writeFileSync(`${log}.2.gz`, gzipSync(dockerLines('2 end\n', '3\n')));
  writeFileSync(`${log}.1`, dockerLines('4\n'));
  writeFileSync(`${log}.1.gz`, gzipSync(dockerLines('4\n')).subarray(0, 20));
  writeFileSync(log, dockerLines('5\n'));
  for (const other of ['.0', '.x', '.2.gz.tmp', '.01']) writeFileSync(`${log}${other}`, dockerLines('9\n'));
  const all = '1\n2 be2 mid2 end\n3\n4\n5\n';
  const shown = async (options: LogsOptions) => (await logs(old, options)).stdout;
  assert.equal(await shown({}), all);
  assert.equal(await shown({ follow: true }), all);
  for (const tail of [0, 1, 2, 3, 4, 5, 6]) {
    const wanted = all
      .split('\n')
      .slice(0, -1)
      .slice(Math.max(0, 5 - tail));
    assert.equal(await shown({ tail }), wanted.map((line) => `${line}\n`).join(''), `tail ${tail}`);
    assert.equal(await shown({ tail, follow: true }), await shown({ tail }), `tail ${tail}, followed`);
  }
  assert.equal(await shown({ since: '2020-01-01T00:00:03Z' }), '3\n4\n5\n');
  assert.equal(await shown({ until: '2020-01-01T00:00:03Z' }), '1\n2 be2 mid2 end\n');
  assert.equal(
    await shown({ tail: 2, timestamps: true, until: '2020-01-01T00:00:05Z' }),
    '2020-01-01T00:00:04.500000000Z 4\n',
  );
  await runInForeground(fixture.engine, old);
  assert.equal(await shown({}), `${all}ours\n`);
  assert.equal(await shown({ tail: 2, follow: true }), '5\nours\n');
  writeFileSync(`${log}.2.gz`, gzipSync(dockerLines('2 end\n', '3\n')).subarray(0, 20));
  await assert.rejects(logs(old), {
    code: 'Corrupt',
    message: `cannot read the log ${log}.2.gz: corrupt gzip data: unexpected end of file`,
  });
  await fixture.engine.containers.remove(old);
});

test('lines that a full disk cut off are looked over', () => {
  for (const line of ['', 'x', '2020-01-01T00:00:00Z stdout', '2020-01-01T00:00:00Z stdin F x', '\0\0\0\0']) {
    assert.equal(parseCriLine(Buffer.from(line)), undefined, JSON.stringify(line));
  }
  for (const line of ['', '{', '[]', '{"log":1,"stream":"stdout"}', '{"log":"x","stream":"stdin"}']) {
    assert.equal(parseJsonLine(Buffer.from(line)), undefined, JSON.stringify(line));
  }
  const entry = parseCriLine(Buffer.from('2020-01-01T00:00:00.1+02:00 stderr F a b  c'));
  assert.equal(entry?.data.toString(), 'a b  c\n');
});

test('pieces of a line that begins before other lines of the tail are not lost', () => {
  const file = `${fixture.root.base}/pieces.log`;
  const line = (rest: string) => `2020-01-01T00:00:00.000000000Z ${rest}`;
  const entries = [
    'stdout F old',
    'stdout P a',
    'stdout P b',
    'stderr F err',
    'stdout F c',
    'stderr P d',
  ].map(line);
  writeFileSync(file, `${entries.join('\n')}\n`);
  const fd = openSync(file, 'r');
  const tail = (wanted: number) => {
    const search = new TailSearch(wanted);
    const text = entries.join('\n').slice(search.look(fd, parseCriLine));
    return [search.lines, search.head.map(({ data }) => data.toString()).join('|'), text.split('\n').length];
  };
  assert.deepEqual(tail(0), [0, '', 1]);
  assert.deepEqual(tail(1), [1, '', 1]);
  assert.deepEqual(tail(2), [2, 'a|b', 2]);
  assert.deepEqual(tail(3), [3, '', 5]);
  assert.deepEqual(tail(4), [4, '', 6]);
  assert.deepEqual(tail(5), [4, '', 6]);
  closeSync(fd);
});

test('the end of a large log is found without reading all of it', () => {
  const file = `${fixture.root.base}/large.log`;
  const line = (n: number) => `2020-01-01T00:00:00.000000000Z stdout F line ${n} ${'x'.repeat(100)}\n`;
  writeFileSync(file, Array.from({ length: 20_000 }, (_, n) => line(n)).join(''));
  const fd = openSync(file, 'r');
  const search = new TailSearch(3);
  const start = search.look(fd, parseCriLine);
  closeSync(fd);
  assert.equal(search.lines, 3);
  assert.ok(search.isFound);
  assert.equal(
    start,
    Array.from({ length: 19_997 }, (_, n) => line(n).length).reduce((a, b) => a + b),
  );
});
