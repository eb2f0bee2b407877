/** What is on the disks that a machine gets: from an installed package, and from a checkout whose bundle is old. No machine: a program in QEMU's place unpacks them. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildImages } from '../../src/lab/lab.ts';
import { cacheFolder, packagesFolder } from '../../src/lab/place.ts';
import { ADDON, LAYOUTS, layOut } from './package-layout.ts';

const root = resolve(import.meta.dirname, '../..');

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-package-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program from the checkout. */
function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The folder of a real package. Node is 120 MB, so its files are links where those can be made. */
function put(name: string, path: string): void {
  const real = realpathSync(join(packagesFolder(), name));
  if (spawnSync('cp', ['-al', '-T', '--', real, path]).status === 0) return;
  rmSync(path, { recursive: true, force: true });
  run('cp', '-a', '-T', '--', real, path);
}

let packed: string | undefined;

/** Puts what `npm pack` makes of this checkout, with a bundle of its sources as they are, where tsengine is to be. */
function unpackTsengine(place: string): void {
  packed ??= packTsengine();
  cpSync(packed, place, { recursive: true });
}

function packTsengine(): string {
  const work = mkdtempSync(join(folder, 'pack-'));
  run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', work);
  const [archive = ''] = readdirSync(work);
  run('tar', '-xzf', join(work, archive), '-C', work);
  const made = join(work, 'package');
  rmSync(join(made, 'dist'), { recursive: true, force: true });
  run(process.execPath, 'scripts/build.ts', '--outdir', join(made, 'dist'));
  return made;
}

/** A cache of the test's own with the kernel and the root image of the lab's, which take minutes to make. */
async function ownCache(): Promise<string> {
  const names = await buildImages('debian:6.1', [], {});
  const path = mkdtempSync(join(folder, 'cache-'));
  for (const name of names.filter((each) => /^(kernel|root)-/.test(each)))
    symlinkSync(join(cacheFolder(), name), join(path, name));
  return path;
}

/** A program in QEMU's place that unpacks tsengine's two disks as a machine mounts them. */
function unpacker(to: string): string {
  const path = join(folder, 'unpacker');
  const script = `#!/bin/sh
[ "$1" != --version ] || exec qemu-system-x86_64 --version
for word; do
  case $word in
    if=none*) file=\${word#*file=}; file=\${file%%,*} ;;
    *serial=lab-packages) mkdir -p ${to}; unsquashfs -q -n -d ${to}/node_modules "$file" ;;
    *serial=lab-code) unsquashfs -q -n -f -d ${to} "$file" ;;
  esac
done
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return path;
}

describe('an installed package', () => {
  for (const layout of LAYOUTS)
    test(`of ${layout}'s works in a machine`, async () => {
      const below = join(folder, layout);
      const place = layOut(below, layout, put);
      unpackTsengine(place);
      const there = join(below, 'machine');
      const env = {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        TSENGINE_LAB_CACHE: await ownCache(),
        TSENGINE_LAB_QEMU: unpacker(there),
        TSENGINE_LAB_ACCELERATOR: 'tcg',
      };
      const launcher = join(below, 'node_modules/tsengine/bin/tsengine');
      const ended = spawnSync(launcher, ['lab', 'run', '-q', '--', 'true'], { encoding: 'utf8', env });
      assert.match(ended.stderr, /^tsengine: the machine ended before it started the command/);
      // What the machine would have: nothing of this is a link to what stays behind.
      rmSync(join(below, 'node_modules'), { recursive: true });
      for (const words of [
        ['driver', 'ls'],
        ['--data-root', join(below, 'root'), '--exec-root', join(below, 'run'), 'info'],
      ]) {
        const inside = spawnSync(join(there, 'bin/tsengine'), words, {
          encoding: 'utf8',
          env: { PATH: env.PATH },
        });
        assert.deepEqual([inside.stderr, inside.status], ['', 0]);
        assert.match(inside.stdout, /overlay2/);
      }
    });

  test("that lacks koffi's addon says so, and blames no cache", () => {
    const below = join(folder, 'lacking');
    const place = layOut(below, 'npm', put);
    unpackTsengine(place);
    rmSync(join(dirname(place), dirname(ADDON)), { recursive: true });
    const env = { PATH: '/usr/bin:/bin', TSENGINE_LAB_CACHE: join(below, 'cache') };
    const ended = spawnSync(join(place, 'bin/tsengine'), ['lab', 'run', '--', 'true'], {
      encoding: 'utf8',
      env,
    });
    assert.match(ended.stderr, /^tsengine: [^\n]*koffi[^\n]*\n$/i);
    assert.doesNotMatch(ended.stderr, /cache/);
  });
});

describe("a checkout's bundle", () => {
  /** A small checkout, and what its code disk then holds in `dist/cli/main.js`; what was said on the way. */
  function codeDisk(place: string): { readonly main: string | undefined; readonly said: string } {
    const made = mkdtempSync(join(folder, 'disk-'));
    const program = [
      `import { makeCodeDisk } from ${JSON.stringify(join(place, 'src/lab/code-disk.ts'))};`,
      'const context = { progress: (line) => console.log(line), signal: undefined };',
      `await makeCodeDisk(${JSON.stringify(made)}, context);`,
    ].join('\n');
    const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
    const ended = spawnSync(process.execPath, flags, { encoding: 'utf8' });
    assert.equal(ended.status, 0, ended.stderr);
    const there = join(made, 'there');
    run('unsquashfs', '-q', '-n', '-d', there, join(made, 'code.squashfs'));
    const main = join(there, 'dist/cli/main.js');
    return { main: existsSync(main) ? readFileSync(main, 'utf8') : undefined, said: ended.stdout };
  }

  test('is made anew for a machine when it is older than the sources, and taken as it is when not', () => {
    const place = join(folder, 'checkout');
    for (const name of ['bin', 'bench', 'scripts', 'src', 'package.json', 'tsconfig.json'])
      cpSync(join(root, name), join(place, name), { recursive: true });
    symlinkSync(realpathSync(join(root, 'node_modules')), join(place, 'node_modules'));
    mkdirSync(join(place, 'dist/cli'), { recursive: true });
    const bundle = join(place, 'dist/cli/main.js');
    writeFileSync(bundle, 'as it is');
    assert.equal(codeDisk(place).main, 'as it is');

    utimesSync(bundle, 1, 1);
    const fresh = codeDisk(place);
    assert.match(fresh.main ?? '', /thisFile/);
    assert.equal(fresh.said, '');
    assert.equal(readFileSync(bundle, 'utf8'), 'as it is', "the checkout's own stays");

    writeFileSync(join(place, 'src/cli/main.ts'), 'this is no program {');
    const broken = codeDisk(place);
    assert.equal(broken.main, 'as it is');
    assert.match(broken.said, /^cannot bundle the sources: [^\n]+: the machine gets them as they are\n$/);
  });
});
