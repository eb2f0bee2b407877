import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, beforeEach, describe, test } from 'node:test';
import { familiarString, parseReference } from '../../../src/engine/references/reference.ts';
import { ReferenceStore } from '../../../src/engine/references/reference-store.ts';

const base = mkdtempSync(`${tmpdir()}/ts-rs-`);
after(() => rmSync(base, { recursive: true, force: true }));
const file = `${base}/repositories.json`;
const id = (digit: string): string => `sha256:${digit.repeat(64)}`;

describe('repositories.json', () => {
  let store: ReferenceStore;
  beforeEach(() => {
    rmSync(base, { recursive: true, force: true });
    mkdirSync(`${base}/layerdb/tmp`, { recursive: true });
    store = new ReferenceStore(base);
  });

  test('is written as Docker writes it: familiar names, sorted', () => {
    const references = store.read();
    references.tag(parseReference('docker.io/library/debian:12'), id('1'));
    references.tag(parseReference('b.example:5000/x/y:z'), id('2'));
    references.tag(parseReference('debian:11'), id('2'));
    references.tag(parseReference('alpine:3'), id('3'));
    store.write(references);
    const expected = `{"Repositories":{"alpine":{"alpine:3":"${id('3')}"},"b.example:5000/x/y":{"b.example:5000/x/y:z":"${id('2')}"},"debian":{"debian:11":"${id('2')}","debian:12":"${id('1')}"}}}`;
    assert.equal(readFileSync(file, 'utf8'), expected);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(store.read().of(id('2')).map(familiarString), ['b.example:5000/x/y:z', 'debian:11']);
  });

  test('names point to one image; the last name of a repository takes it along', () => {
    const references = store.read();
    const name = parseReference('a:1');
    references.tag(name, id('1'));
    references.tag(name, id('2'));
    assert.deepEqual([references.get(name), references.of(id('1'))], [id('2'), []]);
    assert.ok(references.delete(name));
    assert.ok(!references.delete(name));
    assert.equal(references.toJson(), '{"Repositories":{}}');
  });

  test('digests are names, and what nobody can read stays', () => {
    const digest = `a@${id('7')}`;
    writeFileSync(
      file,
      JSON.stringify({
        Repositories: { a: { [digest]: id('1'), 'a:1': id('1'), 'A b': id('1'), 'a:2': 'x' } },
      }),
    );
    const references = store.read();
    assert.equal(references.get(parseReference(digest)), id('1'));
    assert.equal(references.get(parseReference(`a:9@${id('7')}`)), id('1'), 'the digest decides');
    assert.deepEqual(references.of(id('1')).map(familiarString), ['a:1', digest]);
    assert.deepEqual(
      references.ofRepository(parseReference('a')).map(({ reference }) => familiarString(reference)),
      ['a:1', digest],
    );
    references.tag(parseReference('c:1'), id('2'));
    store.write(references);
    assert.deepEqual(
      Object.keys(JSON.parse(readFileSync(file, 'utf8')).Repositories.a).sort(),
      ['A b', 'a:1', 'a:2', digest].sort(),
    );
  });

  test('refuses what Docker refuses', () => {
    const references = store.read();
    assert.throws(() => references.tag(parseReference(`a@${id('1')}`), id('2')), {
      message: 'refusing to create a tag with a digest reference',
    });
    assert.throws(() => references.tag(parseReference('sha256:1'), id('2')), {
      message: 'refusing to create an ambiguous tag using digest algorithm as name',
    });
  });

  test('a broken one names the file and the field', () => {
    writeFileSync(file, '{"Repositories":{"a":{"a:1":7}}}');
    assert.throws(() => store.read(), {
      code: 'Corrupt',
      message: `${file}: field "Repositories.a.a:1": expected string`,
    });
    writeFileSync(file, '{"Repositories":');
    assert.throws(() => store.read(), {
      message: `${file}: not JSON at line 1, column 17: the text ends here`,
    });
    writeFileSync(file, '{}');
    assert.equal(store.read().toJson(), '{"Repositories":{}}');
  });
});
