/** What `-o FILE` leaves when the command ends early, whatever ends it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { after, beforeEach, describe, test } from 'node:test';
import { writeStream } from '../../src/cli/streams.ts';
import { armFaults } from '../../src/linux/fault.ts';
import { FROM_SOURCES } from '../helpers/compiled-tests.ts';

const base = mkdtempSync(`${tmpdir()}/ts-output-`);
let out = '';
beforeEach(() => {
  out = mkdtempSync(`${base}/out-`);
});
after(() => rmSync(base, { recursive: true, force: true }));

/** A program that writes half of a file and then has nothing to do. */
const WRITER = `
  import { writeStream } from '${new URL('../../src/cli/streams.ts', import.meta.url)}';
  async function* half() {
    yield Buffer.from('half');
    console.log('half');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  await writeStream(half(), process.argv[1], 'save image');
`;

/** Has a program write half of the file, ends it, and gives the signal that it died of. */
async function endHalfway(output: string, signal: NodeJS.Signals, fault: string): Promise<unknown> {
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', WRITER, output];
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, words, {
    stdio: [...stdio],
    env: { ...process.env, ...FROM_SOURCES, TSENGINE_FAULT: fault },
  });
  await once(child.stdout ?? child, 'data');
  child.kill(signal);
  const [, died] = await once(child, 'exit');
  return died;
}

async function* chunks(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) {
    assert.deepEqual(
      readdirSync(out).filter((name) => name.startsWith('new')),
      [],
      'no name before it is whole',
    );
    yield Buffer.from(text);
  }
}

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.from('half');
  throw new Error('no more');
}

const WAYS = {
  'on a file system with unnamed files': { fault: '', signals: ['SIGKILL', 'SIGINT', 'SIGTERM', 'SIGHUP'] },
  'on one without': { fault: 'open:1:EOPNOTSUPP', signals: ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] },
} as const;

for (const [way, { fault, signals }] of Object.entries(WAYS)) {
  describe(way, () => {
    beforeEach(() => armFaults(fault === '' ? [] : [{ call: 'open', nth: 1, action: 'EOPNOTSUPP' }]));

    for (const signal of signals) {
      test(`${signal} halfway leaves what was there before, and nothing else`, async () => {
        assert.equal(await endHalfway(`${out}/new`, signal, fault), signal);
        assert.deepEqual(readdirSync(out), []);
        writeFileSync(`${out}/old`, 'old');
        assert.equal(await endHalfway(`${out}/old`, signal, fault), signal);
        assert.deepEqual(readdirSync(out), ['old']);
        assert.equal(readFileSync(`${out}/old`, 'utf8'), 'old');
      });
    }

    test('a source that fails leaves nothing', async () => {
      await assert.rejects(writeStream(failing(), `${out}/new`, 'save image'), /no more/);
      assert.deepEqual(readdirSync(out), []);
    });

    test('a new file, one in the place of another and one in the place of a link are whole and ours alone', async () => {
      writeFileSync(`${out}/old`, 'something longer', { mode: 0o644 });
      symlinkSync('old', `${out}/link`);
      for (const name of ['link', 'old', 'whole']) {
        armFaults(fault === '' ? [] : [{ call: 'open', nth: 1, action: 'EOPNOTSUPP' }]);
        await writeStream(chunks('one ', 'two'), `${out}/${name}`, 'save image');
        assert.equal(readFileSync(`${out}/${name}`, 'utf8'), 'one two');
        assert.ok(lstatSync(`${out}/${name}`).isFile());
        assert.equal(statSync(`${out}/${name}`).mode & 0o777, 0o600);
        if (name === 'link') assert.equal(readFileSync(`${out}/old`, 'utf8'), 'something longer');
      }
      assert.deepEqual(readdirSync(out), ['link', 'old', 'whole']);
    });

    test('a name that cannot be given leaves what was there before', async () => {
      writeFileSync(`${out}/old`, 'old');
      const unsupported = fault === '' ? [] : [{ call: 'open', nth: 1, action: 'EOPNOTSUPP' }];
      armFaults([...unsupported, { call: 'rename', nth: 1, action: 'EIO' }]);
      await assert.rejects(writeStream(chunks('one'), `${out}/old`, 'save image'), { code: 'EIO' });
      assert.deepEqual(readdirSync(out), ['old']);
      assert.equal(readFileSync(`${out}/old`, 'utf8'), 'old');
    });

    test('a name that cannot be had is refused, and nothing is left', async () => {
      await assert.rejects(
        writeStream(chunks('x'), `${out}/${'n'.repeat(300)}`, 'save image'),
        /name too long/,
      );
      let isAsked = false;
      async function* asked(): AsyncGenerator<Buffer> {
        isAsked = true;
        yield Buffer.from('x');
      }
      await assert.rejects(
        writeStream(asked(), out, 'save image'),
        /invalid output path: .* is a directory$/,
      );
      assert.equal(isAsked, false);
      assert.deepEqual(readdirSync(out), []);
      assert.deepEqual(
        readdirSync(base).filter((name) => name.includes('.tmp-')),
        [],
      );
    });
  });
}
