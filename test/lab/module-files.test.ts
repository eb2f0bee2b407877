/** A folder of modules as `make modules_install` leaves it: with links to the tree that the kernel was made in. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { moduleFiles, modulesIdentity } from '../../src/lab/module-files.ts';

const RELEASE = '6.6.0-mine';

/** A source tree in which modules were installed, as docs/lab.md has it: `mods/lib/modules` below the tree. */
function builtTree(): { readonly source: string; readonly modules: string; [Symbol.dispose](): void } {
  const source = mkdtempSync(join(tmpdir(), 'lab-modules-'));
  const modules = join(source, 'mods/lib/modules', RELEASE);
  const write = (path: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, path);
  };
  for (const name of ['modules.dep', 'kernel/fs/a.ko', 'kernel/fs/b.ko.xz', 'vdso/vdso64.so'])
    write(join(modules, name));
  write(join(source, 'fs/of-the-tree.ko'));
  return { source, modules, [Symbol.dispose]: () => rmSync(source, { recursive: true }) };
}

const paths = (folder: string): string[] => moduleFiles(folder).map(({ path }) => path);

describe('the files of modules', () => {
  const all = ['kernel/fs/a.ko', 'kernel/fs/b.ko.xz', 'modules.dep'];

  test('are the modules and their lists', () => {
    using tree = builtTree();
    assert.deepEqual(paths(tree.modules), all);
    assert.deepEqual(paths(join(tree.source, 'nothing')), []);
    const above = paths(dirname(tree.modules));
    assert.deepEqual(
      above,
      all.map((path) => `${RELEASE}/${path}`),
    );
  });

  test('are none of the tree that build and source lead to, nor of links to nowhere or round in a circle', () => {
    using tree = builtTree();
    symlinkSync(tree.source, join(tree.modules, 'build'));
    symlinkSync('/nonexistent/source', join(tree.modules, 'source'));
    symlinkSync('..', join(tree.modules, 'kernel/back'));
    symlinkSync('/nonexistent/c.ko', join(tree.modules, 'kernel/c.ko'));
    assert.deepEqual(paths(tree.modules), all);
  });

  test('are also those that other links lead to', () => {
    using tree = builtTree();
    symlinkSync(join(tree.source, 'fs/of-the-tree.ko'), join(tree.modules, 'kernel/linked.ko'));
    symlinkSync(join(tree.source, 'fs'), join(tree.modules, 'extra'));
    assert.deepEqual(paths(tree.modules), [
      'extra/of-the-tree.ko',
      ...all.slice(0, 2),
      'kernel/linked.ko',
      'modules.dep',
    ]);
  });
});

test('modules have another identity when one is copied over an old one', () => {
  using tree = builtTree();
  const before = modulesIdentity(tree.modules);
  assert.equal(modulesIdentity(tree.modules), before);
  const module = join(tree.modules, 'kernel/fs/a.ko');
  utimesSync(module, 1, 1);
  const touched = modulesIdentity(tree.modules);
  writeFileSync(module, 'longer than it was');
  utimesSync(module, 1, 1);
  assert.equal(new Set([before, touched, modulesIdentity(tree.modules)]).size, 3);
});
