import assert from 'node:assert/strict';
import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
const packagedNode = `node-linux-${process.arch}/bin/node`;

/** Stands for the program: says who runs it and how. */
const report = `console.log(JSON.stringify({
  from: import.meta.filename, node: process.execPath, pid: process.pid, args: process.argv.slice(2),
  cache: process.env.NODE_COMPILE_CACHE ?? null,
}));`;

interface Report {
  readonly from: string;
  readonly node: string;
  readonly pid: number;
  readonly args: readonly string[];
  readonly cache: string | null;
}

/** A folder for one test with an installed package in `folder`; gone when the test ends. */
function installed(folder = 'tsengine') {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'tsengine-launcher-')));
  const home = join(base, folder);
  mkdirSync(join(home, 'bin'), { recursive: true });
  cpSync(join(root, 'bin/tsengine'), join(home, 'bin/tsengine'));
  put(join(home, 'dist/cli/main.js'), report);
  put(join(home, 'package.json'), '{"type":"module"}');
  return {
    base,
    home,
    launcher: join(home, 'bin/tsengine'),
    [Symbol.dispose]: () => rmSync(base, { recursive: true }),
  };
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

function run(launcher: string, args: readonly string[] = [], options: SpawnSyncOptions = {}) {
  const { status, stdout, stderr, pid } = spawnSync(launcher, args, { ...options, encoding: 'utf8' });
  return { status, stdout, stderr, pid };
}

function runs(launcher: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Report {
  const { status, stdout, stderr } = run(launcher, args, { env: { PATH: process.env.PATH, ...env } });
  assert.equal(status, 0, stderr);
  const parsed: Report = JSON.parse(stdout);
  return parsed;
}

describe('which Node', () => {
  test('the packaged one in the package’s own node_modules', () => {
    using place = installed();
    link(process.execPath, join(place.home, 'node_modules', packagedNode));
    const { args, node } = runs(place.launcher, ['a b', '--c', ''], { PATH: '/nonexistent' });
    assert.deepEqual(args, ['a b', '--c', '']);
    assert.equal(node, realpathSync(process.execPath));
  });

  test('the packaged one beside the package, as npm hoists it', () => {
    using place = installed('node_modules/tsengine');
    link(process.execPath, join(place.base, 'node_modules', packagedNode));
    assert.equal(runs(place.launcher, [], { PATH: '/nonexistent' }).node, realpathSync(process.execPath));
  });

  test('else the system’s, when it is new enough', () => {
    using place = installed();
    link(process.execPath, join(place.base, 'system/node'));
    const PATH = `${place.base}/system`;
    assert.equal(runs(place.launcher, [], { PATH }).node, realpathSync(process.execPath));
  });

  test('else one line and exit code 125', () => {
    using place = installed();
    const old = join(place.base, 'system/node');
    put(old, '#!/bin/sh\necho v20.20.2\n');
    chmodSync(old, 0o755);
    const tooOld = run(place.launcher, [], { env: { PATH: `${place.base}/system` } });
    assert.equal(tooOld.status, 125);
    assert.match(
      tooOld.stderr,
      /^tsengine: Node\.js 24 or newer is needed, and .*\/system\/node is 20\.20\.2: .*\n$/,
    );
    const none = run(place.launcher, [], { env: { PATH: '/nonexistent' } });
    assert.equal(none.status, 125);
    assert.match(none.stderr, /^tsengine: Node\.js 24 or newer is needed, and there is none: [^\n]*\n$/);
  });

  test('the launcher becomes Node: no process of its own stays', () => {
    using place = installed();
    link(process.execPath, join(place.home, 'node_modules', packagedNode));
    const { pid, stdout } = run(place.launcher);
    const parsed: Report = JSON.parse(stdout);
    assert.equal(parsed.pid, pid);
  });
});

describe('which code', () => {
  test('through symbolic links, absolute and relative, from any folder', () => {
    using place = installed();
    link(process.execPath, join(place.home, 'node_modules', packagedNode));
    link(place.launcher, join(place.base, 'one/tsengine'));
    link('../one/tsengine', join(place.base, 'two/ts'));
    const expected = join(place.home, 'dist/cli/main.js');
    assert.equal(runs(join(place.base, 'two/ts')).from, expected);
    const relative = run('./ts', [], { cwd: join(place.base, 'two') });
    const parsed: Report = JSON.parse(relative.stdout);
    assert.equal(parsed.from, expected);
    assert.equal(runs('ts', [], { PATH: `${place.base}/two:${process.env.PATH}` }).from, expected);
  });

  test('the sources while there is no bundle, when one of them is newer, or when asked', () => {
    using place = installed();
    link(process.execPath, join(place.home, 'node_modules', packagedNode));
    const bundle = join(place.home, 'dist/cli/main.js');
    const source = join(place.home, 'src/cli/main.ts');
    const deep = join(place.home, 'src/drivers/x/deep/file.ts');
    put(source, report);
    put(deep, '');
    const agent = join(place.home, 'src/lab/guest-agent.py');
    put(agent, '');
    const at = (path: string, seconds: number) => utimesSync(path, seconds, seconds);
    at(agent, 1000);
    at(source, 1000);
    at(deep, 1000);
    at(bundle, 2000);
    assert.equal(runs(place.launcher).from, bundle);
    assert.equal(runs(place.launcher, [], { TSENGINE_SOURCES: '1' }).from, source);
    at(deep, 3000);
    assert.equal(runs(place.launcher).from, source);
    assert.equal(runs(place.launcher, [], { TSENGINE_SOURCES: '0' }).from, bundle);
    at(deep, 1000);
    at(agent, 3000);
    assert.equal(runs(place.launcher).from, source, 'the program that the build embeds is a source, too');
    rmSync(join(place.home, 'dist'), { recursive: true });
    assert.equal(runs(place.launcher).from, source);
  });

  test('neither: one line and exit code 125', () => {
    using place = installed();
    link(process.execPath, join(place.home, 'node_modules', packagedNode));
    rmSync(join(place.home, 'dist'), { recursive: true });
    const { status, stderr } = run(place.launcher);
    assert.equal(status, 125);
    assert.match(stderr, /^tsengine: neither .*\/dist nor .*\/src holds the program: reinstall it\n$/);
  });
});

describe('the compile cache', () => {
  const prepared = () => {
    const place = installed();
    link(process.execPath, join(place.home, 'node_modules', packagedNode));
    return { ...place, cache: join(place.home, '.cache/compile-cache') };
  };
  const used = ({ launcher, cache }: { readonly launcher: string; readonly cache: string }) => {
    const told = runs(launcher, [], {
      NODE_COMPILE_CACHE: join(tmpdir(), 'tsengine-launcher-not-this'),
    }).cache;
    assert.ok(told === null || realpathSync(told) === realpathSync(cache), `cache is ${told}`);
    return told !== null;
  };

  test('lies in the package, and is never the one in the environment', () => {
    using place = prepared();
    assert.ok(used(place));
    assert.equal(readdirSync(place.cache).length, 1);
  });

  test("is nobody else's to write, whatever the umask is", () => {
    using place = prepared();
    const before = process.umask(0);
    try {
      assert.ok(used(place));
    } finally {
      process.umask(before);
    }
    const [only = ''] = readdirSync(place.cache);
    for (const folder of [place.cache, join(place.cache, only)])
      assert.equal(statSync(folder).mode & 0o022, 0, folder);
  });

  test('does not loosen the umask', () => {
    using place = prepared();
    const before = process.umask(0o077);
    try {
      assert.ok(used(place));
    } finally {
      process.umask(before);
    }
    const [only = ''] = readdirSync(place.cache);
    assert.equal(statSync(join(place.cache, only)).mode & 0o777, 0o700);
  });

  test('is not taken through a symbolic link', () => {
    using place = prepared();
    link(place.base, place.cache);
    assert.equal(used(place), false);
  });

  test('is not taken when it or the code belongs to somebody else', (t) => {
    if (process.getuid?.() !== 0) return t.skip('needs root, to give files away');
    using place = prepared();
    mkdirSync(place.cache, { recursive: true });
    chownSync(place.cache, 65534, 65534);
    assert.equal(used(place), false);
    chownSync(place.cache, 0, 0);
    assert.equal(used(place), true);
    chownSync(join(place.home, 'dist/cli/main.js'), 65534, 65534);
    assert.equal(used(place), false);
  });
});

describe('the program itself', () => {
  /** Prints every module that is loaded, at the end, after the program's own output. */
  const spy = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module';
    import { writeSync } from 'node:fs';
    const urls = [];
    registerHooks({ load(url, context, next) { urls.push(url); return next(url, context); } });
    process.on('exit', () => writeSync(2, urls.join('\\n')));`)}`;

  for (const sources of ['0', '1']) {
    for (const args of [['version'], ['--version'], ['--help'], ['help', 'version']]) {
      test(`${args.join(' ')} loads neither koffi nor zod (${sources === '1' ? 'sources' : 'bundle'})`, (t) => {
        if (sources === '0' && !existsSync(join(root, 'dist'))) return t.skip('dist/ is not built');
        const env = { ...process.env, TSENGINE_SOURCES: sources, NODE_OPTIONS: `--import=${spy}` };
        const { status, stderr } = run(join(root, 'bin/tsengine'), args, { env });
        assert.equal(status, 0, stderr);
        assert.match(stderr, /main\.[jt]s/);
        assert.doesNotMatch(stderr, /koffi|zod/);
        if (args[0]?.endsWith('version')) assert.doesNotMatch(stderr, /commander|program/);
      });
    }
  }

  test('its own children do not inherit the compile cache', () => {
    const env = {
      ...process.env,
      NODE_OPTIONS:
        "--import=data:text/javascript,process.on('exit',()=>process._rawDebug(String(process.env.NODE_COMPILE_CACHE)))",
    };
    assert.equal(run(join(root, 'bin/tsengine'), ['version'], { env }).stderr, 'undefined\n');
  });

  test('an unknown command is told in Docker’s words', () => {
    const { status, stderr } = run(join(root, 'bin/tsengine'), ['frobnicate']);
    assert.deepEqual(
      { status, stderr },
      { status: 1, stderr: "tsengine: 'frobnicate' is not a tsengine command.\nSee 'tsengine --help'\n" },
    );
  });

  test('a reader that goes away is no error to speak of', () => {
    const script = `{ "$1" --help; echo "status $?" >&2; } | true`;
    const { stderr } = spawnSync('sh', ['-c', script, 'sh', join(root, 'bin/tsengine')], {
      encoding: 'utf8',
    });
    assert.match(stderr, /^status (141|0)\n$/);
  });
});
