/** The cache of compiled functions, with a program of the test's own. What it is worth is in `npm run bench`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const caller = fileURLToPath(new URL('code-cache-caller.ts', import.meta.url));

/** A function of some size that gives `answer`. */
function long(name: string, answer: string): string {
  const lines = Array.from({ length: 200 }, (_, at) => `total += ${at} * times;`);
  return `exports.${name} = () => { let total = 0; const times = 2; ${lines.join(' ')} return ${JSON.stringify(answer)} + total; };`;
}

function broken(sound: Buffer, damage: (data: Buffer) => void): Buffer {
  const data = Buffer.from(sound);
  damage(data);
  return data;
}

class Place implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'code-cache-'));
  readonly program = join(this.folder, 'program.js');

  constructor() {
    this.write('1');
  }

  write(version: string): void {
    writeFileSync(
      this.program,
      `const path = require('node:path');\nexports.where = () => path.basename(__filename) + typeof module;\n${long('first', version)}\n${long('second', version)}`,
    );
  }

  call(id: string, ...args: string[]): string {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(this.folder, 'cache'), NODE_OPTIONS: '' };
    const flags = ['--disable-warning=ExperimentalWarning'];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...flags, caller, this.program, id, ...args],
      {
        encoding: 'utf8',
        env,
      },
    );
    assert.equal(`${status} ${stderr}`, '0 ');
    return stdout;
  }

  /** The folder of this Node in the cache. */
  get kept(): string {
    const [only = ''] = readdirSync(join(this.folder, 'cache'));
    return join(this.folder, 'cache', only);
  }

  names(): string[] {
    return readdirSync(this.kept).filter((name) => name.startsWith('id'));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

describe('what is compiled is kept', () => {
  test('by command, and is added to by a new kind of call', () => {
    using place = new Place();
    assert.equal(place.call('id', 'where'), 'program.jsobject');
    assert.equal(place.call('id', 'first'), '139800');
    assert.deepEqual(place.names().sort(), ['id-first', 'id-where']);
    const file = join(place.kept, 'id-first');
    const before = readFileSync(file);
    // A kind that is known writes nothing; values and arguments make none of their own.
    utimesSync(file, 1, 1);
    assert.equal(place.call('id', 'first', 'x', 'y'), '139800');
    assert.equal(statSync(file).mtimeMs, 1000);
    place.call('id', 'first', '--flag=1');
    assert.notEqual(statSync(file).mtimeMs, 1000);
    utimesSync(file, 1, 1);
    place.call('id', 'first', '--flag=2');
    assert.equal(statSync(file).mtimeMs, 1000);
    assert.ok(readFileSync(file).length >= before.length);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('and the functions of earlier kinds stay in', () => {
    using place = new Place();
    place.call('id', 'where');
    const small = statSync(join(place.kept, 'id-where')).size;
    place.call('id', 'first');
    const large = statSync(join(place.kept, 'id-first')).size;
    assert.ok(large > small + 1000, `${large} to ${small}`);
    // `where` with a cache that has `first`: what it did not call itself is still there.
    writeFileSync(join(place.kept, 'id-where'), readFileSync(join(place.kept, 'id-first')));
    place.call('id', 'where', '--new');
    assert.ok(statSync(join(place.kept, 'id-where')).size > small + 1000);
  });

  test('for one content of the program only', () => {
    using place = new Place();
    place.call('id', 'first');
    place.write('2');
    assert.equal(place.call('id2', 'first'), '239800');
    assert.deepEqual(place.names().sort(), ['id-first', 'id2-first']);
  });
});

describe('a cache that is not as it should be', () => {
  test('is made again', () => {
    using place = new Place();
    place.call('id', 'first');
    const file = join(place.kept, 'id-first');
    const sound = readFileSync(file);
    for (const damaged of [
      Buffer.alloc(0),
      sound.subarray(0, 1000),
      Buffer.alloc(sound.length),
      Buffer.alloc(256, 255),
      broken(sound, (data) => data.fill(0, 4096, 8192)),
      broken(sound, (data) => data.writeUInt8(data.readUInt8(data.length - 1000) ^ 1, data.length - 1000)),
    ]) {
      writeFileSync(file, damaged);
      assert.equal(place.call('id', 'first'), '139800');
      assert.equal(readFileSync(file).readUInt32LE(0), 1, `${damaged.length} bytes`);
      assert.ok(statSync(file).size > 1000);
    }
  });

  test('in a folder that others may write to is not taken, and nothing is put there', () => {
    using place = new Place();
    place.call('id', 'first');
    chmodSync(place.kept, 0o777);
    assert.equal(place.call('id', 'second'), '139800');
    assert.deepEqual(place.names(), ['id-first']);
  });

  test('with leavings of a killed process is swept, and one that is in use is not', () => {
    using place = new Place();
    place.call('id', 'first');
    for (const name of ['id-old.new-1', 'id-fresh.new-2']) writeFileSync(join(place.kept, name), '');
    utimesSync(join(place.kept, 'id-old.new-1'), 1, 1);
    place.call('id', 'second');
    assert.deepEqual(place.names().sort(), ['id-first', 'id-fresh.new-2', 'id-second']);
  });

  test('does not grow without end; what Node keeps there does not count', () => {
    using place = new Place();
    place.call('id', 'first');
    for (let at = 0; at < 100; at++) writeFileSync(join(place.kept, `id${at}`), '');
    place.call('id', 'other');
    assert.ok(place.names().includes('id-other'));
    for (let at = 0; at < 100; at++) writeFileSync(join(place.kept, `id${at}-x`), '');
    assert.equal(place.call('id', 'second'), '139800');
    assert.ok(!place.names().includes('id-second'));
  });
});
