import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

/** Output of a program; npm's scripts do not run, so that the build of this checkout is what is packed. */
function output(file: string, ...args: string[]): string {
  return execFileSync(file, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** A temporary folder with what `npm pack` makes in it. */
function packed() {
  const folder = mkdtempSync(join(tmpdir(), 'tsengine-package-'));
  output('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', folder);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  assert.ok(archive !== undefined);
  return {
    folder,
    archive: join(folder, archive),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

describe('npm pack', () => {
  test('holds the launcher, the bundle and what explains them; no sources, no cache', (t) => {
    if (!existsSync(join(root, 'dist'))) return t.skip('dist/ is not built');
    using place = packed();
    const names = output('tar', '-tzf', place.archive).trim().split('\n');
    for (const name of [
      'bin/tsengine',
      'dist/cli/main.js',
      'dist/LICENSES.txt',
      'LICENSE',
      'README.md',
      'package.json',
    ]) {
      assert.ok(names.includes(`package/${name}`), name);
    }
    const strangers = names.filter(
      (name) => !/^package\/(bin\/|dist\/|docs\/|LICENSE$|README\.md$|package\.json$)/.test(name),
    );
    assert.deepEqual(strangers, []);
    assert.deepEqual(
      names.filter((name) => /compile-cache/.test(name)),
      [],
    );
  });

  test('installs globally and runs through a symbolic link, with the Node it brings', (t) => {
    if (!existsSync(join(root, 'dist'))) return t.skip('dist/ is not built');
    using place = packed();
    const prefix = join(place.folder, 'prefix');
    output('npm', 'install', '--global', '--silent', '--ignore-scripts', '--prefix', prefix, place.archive);
    symlinkSync(join(prefix, 'bin/tsengine'), join(place.folder, 'ts'));
    const PATH = '/usr/bin:/bin';
    const shown = execFileSync(join(place.folder, 'ts'), ['version'], { encoding: 'utf8', env: { PATH } });
    assert.match(shown, /Node version: +v24\./);
    assert.match(shown, /Git commit: +[0-9a-f]{7}/);
  });

  test('installs as a dependency, where npm hoists Node beside it', (t) => {
    if (!existsSync(join(root, 'dist'))) return t.skip('dist/ is not built');
    using place = packed();
    output(
      'npm',
      'install',
      '--silent',
      '--ignore-scripts',
      '--prefix',
      join(place.folder, 'app'),
      place.archive,
    );
    const bin = join(place.folder, 'app/node_modules/.bin/tsengine');
    assert.match(execFileSync(bin, ['version'], { encoding: 'utf8' }), /Node version: +v24\./);
  });
});
