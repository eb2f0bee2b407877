import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { importsOf, scanSource } from './helpers/source-text.ts';

const root = resolve(import.meta.dirname, '..');

/** Lines of a file at which it is talked about, and at which it must be split. */
const lineWarning = 400;
const lineLimit = 600;

/** Who may import whom: each from itself and from what stands to its right. Files right under src/ are the leaves. */
const order: readonly string[] = ['cli', 'engine', 'drivers', 'archive', 'linux', 'leaf'];
const rank = (area: string): number => {
  if (['cli', 'lab', 'bench', 'test', 'scripts'].includes(area)) return 0;
  const found = order.indexOf(area);
  assert.notEqual(found, -1, `src/${area}/ is no part of the design`);
  return found;
};

/** The part of the design that `path` belongs to. */
function areaOf(path: string): string {
  const [top = '', second = '', ...deeper] = path.split('/');
  if (top !== 'src') return top;
  return deeper.length === 0 ? 'leaf' : second;
}

function trackedFiles(): string[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const output = execFileSync('git', ['-c', 'safe.directory=*', ...list], { cwd: root, encoding: 'utf8' });
  return output.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const files = trackedFiles();
const sources = files.filter((path) => path.endsWith('.ts'));

describe('imports', () => {
  const edges = sources.flatMap((path) =>
    importsOf(read(path)).map((specifier) => ({
      from: path,
      specifier,
      to: specifier.startsWith('.') ? join(dirname(path), specifier) : undefined,
    })),
  );

  test('point one way: cli, lab, bench → engine → drivers → archive → linux → leaves', () => {
    const wrong = edges.filter(({ from, to }) => {
      if (to === undefined || from.startsWith('test/')) return false;
      const target = areaOf(to);
      // The benchmark suite is a command of ours as well.
      if (from.startsWith('src/cli/') && to.startsWith('bench/suite/')) return false;
      if (!to.startsWith('src/')) return from.startsWith('src/') && to !== 'package.json';
      // The main file of the command line is the one file under src/cli that others may not need at all.
      return rank(target) < rank(areaOf(from)) || (target === 'cli' && areaOf(from) !== 'cli');
    });
    assert.deepEqual(wrong.map(show), []);
  });

  test('reach files that exist, by names with .ts', () => {
    const wrong = edges.filter(
      ({ to }) => to !== undefined && !(to.endsWith('.ts') && existsSync(join(root, to))),
    );
    assert.deepEqual(wrong.map(show), []);
  });

  test('of one driver stay out of the others', () => {
    const driverOf = (path: string) => /^src\/drivers\/([^/]+)\//.exec(path)?.[1];
    const wrong = edges.filter(({ from, to }) => {
      const source = driverOf(from);
      const target = to === undefined ? undefined : driverOf(to);
      if (target === undefined || source === target || target === 'conformance') return false;
      return source !== undefined;
    });
    assert.deepEqual(wrong.map(show), []);
  });

  test('of src/linux are Node and koffi only', () => {
    const wrong = edges.filter(
      ({ from, to, specifier }) =>
        from.startsWith('src/linux/') &&
        to === undefined &&
        !specifier.startsWith('node:') &&
        specifier !== 'koffi',
    );
    assert.deepEqual(wrong.map(show), []);
  });
});

test('the engine and the archive code name no driver', () => {
  const names = /\b(overlay2|aufs|devicemapper|btrfs|zfs|vfs)\b/;
  const wrong = sources
    .filter((path) => ['engine', 'archive', 'linux'].includes(areaOf(path)) && path.startsWith('src/'))
    .flatMap((path) =>
      scanSource(read(path))
        .strings.filter((text) => names.test(text) && !isKernelName(path, text))
        .map((text) => `${path}: '${text}'`),
    );
  assert.deepEqual(wrong, []);
});

/** src/linux asks the kernel about file systems, and three of the drivers are called like theirs. */
function isKernelName(path: string, text: string): boolean {
  return (
    path.startsWith('src/linux/') &&
    /\b(btrfs|zfs|aufs)\b/.test(text) &&
    !/\b(overlay2|devicemapper|vfs)\b/.test(text)
  );
}

test('no file is too long', (t) => {
  const lengths = sources.map((path) => ({ path, lines: read(path).split('\n').length - 1 }));
  for (const { path, lines } of lengths) {
    if (lines > lineWarning && lines <= lineLimit)
      t.diagnostic(`${path} has ${lines} lines: think of splitting it`);
  }
  assert.deepEqual(
    lengths.filter(({ lines }) => lines > lineLimit).map(({ path, lines }) => `${path}: ${lines} lines`),
    [],
  );
});

test('types are never waved through', () => {
  const escapes = /\bas any\b|[:<,|]\s*any\b|@ts-(?:ignore|nocheck|expect-error)/;
  const wrong = sources.flatMap((path) => {
    const { code } = scanSource(read(path));
    return code
      .split('\n')
      .flatMap((line, index) => (escapes.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []));
  });
  assert.deepEqual(wrong, []);
});

test('no host of a registry or a mirror and no path of one machine is in any file', () => {
  // Put together here, so that this file does not hold them either. Docker's own names for its hub are part of image names.
  const hosts = [
    ['registry-1', 'docker.io'],
    ['auth', 'docker.io'],
    ['quay', 'io'],
    ['ghcr', 'io'],
    ['gcr', 'io'],
    ['mcr.microsoft', 'com'],
    ['registry.npmjs', 'org'],
    ['deb.debian', 'org'],
    ['snapshot.debian', 'org'],
  ].map((parts) => parts.join('.'));
  const forbidden = [...hosts, ['', 'work', ''].join('/')];
  const wrong = files
    .filter((path) => path !== 'LICENSE')
    .flatMap((path) => {
      const text = read(path);
      return forbidden.filter((word) => text.includes(word)).map((word) => `${path}: ${word}`);
    });
  assert.deepEqual(wrong, []);
});

function show({ from, specifier }: { readonly from: string; readonly specifier: string }): string {
  return `${from} imports ${specifier}`;
}

describe('the scanner that these rules stand on', () => {
  test('takes out comments, strings, templates and regular expressions', () => {
    const source = "a('x//y', `p$" + "{b({ c: '}' })}q`, /['\"]/g); // 'z'\n/* \" */ d / e / f;\n";
    const { code, strings } = scanSource(source);
    assert.equal(code.replaceAll(/ +/g, ' '), "a(' ', ` $" + "{b({ c: ' ' })} `, ); \n d / e / f;\n");
    assert.deepEqual(strings, ['x//y', 'p', '}', 'q']);
  });

  test('finds every form of import', () => {
    const text = [
      "import a from './a.ts';",
      "import type { B } from './b.ts';",
      "export * from './c.ts';",
      "const d = await import('./d.ts');",
      "import './e.ts';",
      "// import './no.ts';",
      `const s = "import './no.ts'";`,
    ].join('\n');
    assert.deepEqual(importsOf(text), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts']);
  });
});
