import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { KeptFacts } from '../../src/engine/kept-facts.ts';
import { tempDir } from '../archive/tar-tools.ts';

const COUNT = 30;
const isText = (value: unknown): value is string => typeof value === 'string';

/** Reads numbered files of a folder as a list would. Gives the facts and the names of the files that were opened. */
function list(folder: string, readOnly = false): { facts: (string | undefined)[]; opened: string[] } {
  const kept = new KeptFacts({ execRoot: `${folder}/exec`, readOnly }, 'test', isText);
  const opened: string[] = [];
  const facts = Array.from({ length: COUNT }, (_, n) =>
    kept.of(`${n}`, [`${folder}/${n}`, `${folder}/absent`], () => {
      opened.push(`${n}`);
      return existsSync(`${folder}/${n}`) ? readFileSync(`${folder}/${n}`, 'utf8') : undefined;
    }),
  );
  kept.save();
  return { facts, opened };
}

function fill(folder: string): void {
  for (let n = 0; n < COUNT; n++) writeFileSync(`${folder}/${n}`, `fact ${n}`);
}

describe('facts that are kept', () => {
  test('come without opening a file, until a file is another one or changed in place', (t) => {
    using folder = tempDir();
    fill(folder.path);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5000 });
    const first = list(folder.path);
    assert.equal(first.opened.length, COUNT);
    assert.equal(first.facts[7], 'fact 7');
    assert.deepEqual(list(folder.path), { facts: first.facts, opened: [] });
    assert.equal(statSync(`${folder.path}/exec/facts/test`).mode & 0o777, 0o600);
    writeFileSync(`${folder.path}/new`, 'FACT 3');
    renameSync(`${folder.path}/new`, `${folder.path}/3`);
    const { atime, mtime } = statSync(`${folder.path}/4`);
    writeFileSync(`${folder.path}/4`, 'FACT 4');
    utimesSync(`${folder.path}/4`, atime, mtime);
    rmSync(`${folder.path}/5`);
    const { facts, opened } = list(folder.path);
    assert.deepEqual(opened, ['3', '4', '5']);
    assert.deepEqual(facts.slice(2, 7), ['fact 2', 'FACT 3', 'FACT 4', undefined, 'fact 6']);
  });

  test('are not kept of files that were changed a moment ago: the next change may look the same', () => {
    using folder = tempDir();
    fill(folder.path);
    list(folder.path);
    assert.ok(!existsSync(`${folder.path}/exec`));
  });

  test('are not kept of a data root that is only read', (t) => {
    using folder = tempDir();
    fill(folder.path);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5000 });
    assert.equal(list(folder.path, true).opened.length, COUNT);
    assert.equal(list(folder.path, true).opened.length, COUNT);
    assert.ok(!existsSync(`${folder.path}/exec`));
  });

  test('are read again where what was kept is damaged, of another version, or no fact', (t) => {
    using folder = tempDir();
    fill(folder.path);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5000 });
    const file = `${folder.path}/exec/facts/test`;
    const { facts } = list(folder.path);
    const whole = readFileSync(file, 'utf8');
    assert.ok(whole.includes('"fact 9"'));
    for (const damaged of [
      '',
      'null',
      '[]',
      '{"format":1}',
      whole.slice(0, whole.length / 2),
      whole.replace('"format":"', '"format":"0'),
      whole.replace(/"facts":.*/, '"facts":[]}'),
    ]) {
      writeFileSync(file, damaged);
      assert.deepEqual(list(folder.path).facts, facts, damaged.slice(0, 40));
      assert.deepEqual(list(folder.path).opened, [], damaged.slice(0, 40));
    }
    writeFileSync(file, whole.replace('"fact 9"', '9'));
    assert.deepEqual(list(folder.path), { facts, opened: ['9'] });
    // What a list takes without opening a file is what was kept.
    writeFileSync(file, whole.replace('"fact 9"', '"kept 9"'));
    assert.equal(list(folder.path).facts[9], 'kept 9');
  });

  test('may not be written: the list is the same', (t) => {
    using folder = tempDir();
    fill(folder.path);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5000 });
    writeFileSync(`${folder.path}/exec`, 'no folder');
    assert.equal(list(folder.path).facts[29], 'fact 29');
  });
});
