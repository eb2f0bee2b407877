/** The parts of the matrix that only work with values. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { DRIVER_NAMES } from '../../src/drivers/registry.ts';
import { cellsOf, chosenBackings, chosenDrivers } from '../../src/lab/matrix/cells.ts';
import {
  areComparable,
  diffMatrices,
  diffText,
  hasRegression,
  regressionText,
} from '../../src/lab/matrix/diff.ts';
import {
  brokenCell,
  byLine,
  eventLine,
  type MatrixEvent,
  parseEventLine,
} from '../../src/lab/matrix/events.ts';
import { matrixPage } from '../../src/lab/matrix/html.ts';
import { kernelChoice, withoutRepeats } from '../../src/lab/matrix/kernel-names.ts';
import { matrixMarkdown } from '../../src/lab/matrix/markdown.ts';
import { matrixText, parseMatrix, readMatrix } from '../../src/lab/matrix/matrix-file.ts';
import { pooled } from '../../src/lab/matrix/pool.ts';
import { openProgressFile } from '../../src/lab/matrix/progress-file.ts';
import { collectReasons } from '../../src/lab/matrix/reasons.ts';
import { BACKINGS, type KernelResult, type Matrix } from '../../src/lab/matrix/schema.ts';
import { matrixSchemaText } from '../../src/lab/matrix/schema-text.ts';
import { hasFailures, summaryText } from '../../src/lab/matrix/summary.ts';
import { cell, feature, kernel, matrix } from '../helpers/matrix-samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-matrix-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('the file', () => {
  test('is read as it was written, and passes over fields that it does not know', () => {
    const one = matrix(kernel({ cells: [cell()], features: [feature({ backing: null })] }));
    const path = `${folder}/matrix.json`;
    writeFileSync(path, matrixText(one));
    assert.deepEqual(readMatrix(path), one);
    assert.deepEqual(parseMatrix({ ...one, later: 1 }, path), one);
  });

  test('that is none is refused in one line that names it and the field', () => {
    const missing = `${folder}/none.json`;
    assert.throws(() => readMatrix(missing), {
      code: 'InvalidParameter',
      message: /cannot read a matrix from .*none\.json/,
    });
    const cut = `${folder}/cut.json`;
    writeFileSync(cut, '{"version": 1,');
    assert.throws(() => readMatrix(cut), {
      code: 'InvalidParameter',
      message: /^cannot read a matrix from [^\n]*$/,
    });
    const bad = {
      ...matrix(kernel()),
      kernels: [{ ...kernel(), cells: [{ ...cell(), status: 'perhaps' }] }],
    };
    assert.throws(() => parseMatrix(bad, 'x.json'), {
      message:
        /^x\.json is no matrix: field "kernels\[0\]\.cells\[0\]\.status": expected "works" or "limited" or /,
    });
    const versionless = /^x\.json is no matrix: field "version": expected 1$/;
    assert.throws(() => parseMatrix({ kernels: [] }, 'x.json'), { message: versionless });
    assert.throws(() => parseMatrix({ version: 2 }, 'x.json'), { message: /version 2 .* use a newer one/ });
  });

  test('has the schema that is published', async () => {
    const published = readFileSync(join(import.meta.dirname, '../../docs/matrix.schema.json'), 'utf8');
    assert.equal(published, await matrixSchemaText(), 'run node scripts/matrix-schema.ts');
  });
});

describe('cells', () => {
  test('are of the drivers that are registered, and of those that were asked for', async () => {
    const all = await chosenDrivers([]);
    assert.deepEqual(all, DRIVER_NAMES);
    assert.deepEqual(await chosenDrivers(['vfs', 'vfs']), ['vfs']);
    await assert.rejects(chosenDrivers(['nonsense']), { code: 'InvalidParameter', message: /nonsense/ });
  });

  test('are of all filesystems, or of those that were asked for, each once', () => {
    assert.deepEqual(chosenBackings([]), [...BACKINGS]);
    assert.deepEqual(chosenBackings(['xfs', 'ext4', 'xfs']), ['ext4', 'xfs']);
    assert.throws(() => chosenBackings(['ntfs']), { code: 'InvalidParameter', message: /"ntfs".*ext4, xfs/ });
    assert.equal(cellsOf(['overlay2', 'vfs'], ['ext4', 'xfs']).length, 4);
  });

  test('run on kernels that have a name or a path', () => {
    assert.equal(kernelChoice('host'), 'host');
    const names = ['debian:bookworm', 'host', 'debian:6.1', './a', 'debian:sid', 'debian:7.2', './a', 'host'];
    assert.deepEqual(withoutRepeats(names), ['debian:bookworm', 'host', './a', 'debian:sid', 'debian:7.2']);
    assert.equal(kernelChoice('debian:6.12'), 'debian:6.12');
    assert.deepEqual(kernelChoice('./bzImage'), { path: './bzImage' });
    assert.throws(() => kernelChoice('bzImage'), {
      code: 'InvalidParameter',
      message: /there is no kernel bzImage/,
    });
  });
});

describe('what is told on the way', () => {
  const events: MatrixEvent[] = [
    { event: 'kernel', release: '6.1', build: '#1', machine: 'x86_64' },
    { event: 'begins', driver: 'vfs', backing: 'xfs' },
    { event: 'cell', cell: cell({ log: 'two\nlines "quoted" \u2028 </script>' }) },
    { event: 'features', backing: null, features: [feature()] },
    { event: 'end' },
  ];

  test('comes over a console in pieces, between other lines', () => {
    const seen: MatrixEvent[] = [];
    const take = byLine((line) => {
      const event = parseEventLine(line);
      if (event !== undefined) seen.push(event);
    });
    const bytes = Buffer.from(events.map((event) => `[ 1.0] noise\r\n${eventLine(event)}`).join(''));
    for (let at = 0; at < bytes.length; at += 7) take(bytes.subarray(at, at + 7));
    assert.deepEqual(seen, events);
    assert.equal(parseEventLine(eventLine({ event: 'end' }).slice(0, -3)), undefined);
    assert.equal(parseEventLine('@tsengine-matrix {"event":"other"}'), undefined);
  });

  test('is kept by code and kernel, and a line that was cut off is as if it were not there', () => {
    const out = `${folder}/progress`;
    {
      using file = openProgressFile(out, false);
      assert.throws(() => openProgressFile(out, false), { code: 'Conflict', message: /another run/ });
      for (const event of events) file.add('one', event);
      file.add('two', { event: 'end' });
    }
    appendFileSync(`${out}/progress.jsonl`, '{"key":"one"}@tsengine-matrix {"event":"ce');
    {
      using file = openProgressFile(out, false);
      assert.deepEqual(file.known('one'), events);
      assert.deepEqual(file.known('three'), []);
      file.add('three', { event: 'end' });
    }
    {
      using file = openProgressFile(out, false);
      assert.deepEqual(file.known('three'), [{ event: 'end' }]);
    }
    using file = openProgressFile(out, true);
    assert.deepEqual(file.known('one'), []);
  });

  test('is found again by whatever a path may have in it', () => {
    const keys = ['{a}', 'a"}', 'a\\', '@tsengine-matrix {"event":"end"}', 'a\nb\u2028c'];
    const out = `${folder}/keys`;
    {
      using file = openProgressFile(out, false);
      for (const key of keys) file.add(key, { event: 'begins', driver: key, backing: 'xfs' });
    }
    using file = openProgressFile(out, false);
    for (const key of keys)
      assert.deepEqual(file.known(key), [{ event: 'begins', driver: key, backing: 'xfs' }]);
  });
});

describe('a difference', () => {
  const one = (given: Partial<KernelResult>) => matrix(kernel(given));

  test('between two equal matrices is none', () => {
    const same = one({ cells: [cell()], features: [feature()] });
    assert.deepEqual(diffMatrices(same, same), []);
    assert.equal(diffText([]), 'nothing has changed\n');
  });

  test('is a regression when a cell, a count of checks, a feature or a kernel has become worse', () => {
    const before = one({ cells: [cell()], features: [feature()] });
    const after: [Partial<KernelResult>, RegExp][] = [
      [{ cells: [cell({ status: 'refused', reasons: ['no overlay'] })] }, /works -> refused \(no overlay\)/],
      [{ cells: [cell({ status: 'limited', reasons: ['slow'] })] }, /works -> limited/],
      [{ cells: [cell({ status: 'unavailable', reasons: ['no ext4'] })] }, /works -> unavailable/],
      [{ features: [feature({ answer: 'no', reason: 'EINVAL' })] }, /metacopy on ext4: yes -> no \(EINVAL\)/],
      [{ error: 'it panicked' }, /did not run to the end: it panicked/],
    ];
    for (const [given, words] of after) {
      const changes = diffMatrices(before, one({ cells: [cell()], features: [feature()], ...given }));
      assert.ok(hasRegression(changes), words.source);
      assert.match(diffText(changes), words);
      const back = diffMatrices(one({ cells: [cell()], features: [feature()], ...given }), before);
      assert.equal(hasRegression(back), false, `${words.source} the other way round`);
      assert.ok(back.some(({ sort }) => sort === 'better'));
    }
    const failing = (failed: number) =>
      one({ cells: [cell({ status: 'failed', tests: { passed: 1, failed, excused: 0 }, reasons: ['x'] })] });
    assert.ok(hasRegression(diffMatrices(failing(1), failing(2))));
    assert.equal(hasRegression(diffMatrices(failing(2), failing(1))), false);
  });

  test('knows a kernel by either of its names, and shows strings of a file as one line', () => {
    const two = (name: string, status: 'works' | 'failed', reasons: readonly string[]) => {
      const [kernel] = one({ cells: [cell({ status, reasons: [...reasons] })] }).kernels;
      assert.ok(kernel !== undefined);
      return {
        ...one({}),
        kernels: [
          { ...kernel, name },
          { ...kernel, name: 'host' },
        ],
      };
    };
    const [before, after] = [
      two('debian:6.12', 'works', []),
      two('debian:trixie', 'failed', ['a\x1b]0;x\x07\nREGRESSION  b']),
    ];
    assert.ok(areComparable(before, after));
    const changes = diffMatrices(before, after);
    const lines = regressionText(changes).split('\n');
    assert.equal(lines.length, 3);
    assert.match(
      lines[0] ?? '',
      /^REGRESSION {2}debian:6\.12, .*works -> failed \(a\\x1b\]0;x\\x07\\x0aREGRESSION {2}b\)$/,
    );
    assert.ok(diffText(changes).startsWith(regressionText(changes)));
    assert.match(summaryText(after), /FAILED .*: a\\x1b\]0;x\\x07\\x0aREGRESSION {2}b\n/);
  });

  test('is a regression when the kernel dies of a feature, whatever was known of it', () => {
    const died = one({ features: [feature({ answer: 'unknown', reason: 'it panicked', died: true })] });
    for (const answer of ['yes', 'no', 'unknown'] as const) {
      const before = one({ features: [feature({ answer })] });
      assert.equal(
        diffText(diffMatrices(before, died)),
        `REGRESSION  host, metacopy on ext4: ${answer} -> died (it panicked)\n1 regression, 0 better, 0 other\n`,
      );
      const [back, ...more] = diffMatrices(died, before);
      assert.deepEqual([back?.sort, more.length], [answer === 'unknown' ? 'other' : 'better', 0]);
    }
    assert.deepEqual(diffMatrices(died, died), []);
    const untried = one({ features: [feature({ answer: 'unknown', reason: 'xfs_quota is not installed' })] });
    assert.equal(hasRegression(diffMatrices(one({ features: [feature()] }), untried)), false);
  });

  test('is a regression when another check fails, and when a kernel dies where checks failed', () => {
    const failing = (...reasons: string[]) =>
      one({
        cells: [
          cell({ status: 'failed', tests: { passed: 1, failed: reasons.length, excused: 0 }, reasons }),
        ],
      });
    const dead = (reason: string) =>
      one({ cells: [brokenCell('overlay2', 'ext4', reason, 'ok a\nok b\n', 1)] });
    const told = (before: Matrix, after: Matrix): string => diffText(diffMatrices(before, after));
    const place = 'host, overlay2 on ext4';
    assert.equal(
      told(failing('a: x'), failing('b: y')),
      `REGRESSION  ${place}: 1 -> 1 checks fail (b: y)\n1 regression, 0 better, 0 other\n`,
    );
    assert.match(told(failing('a: x', 'b: y'), failing('b: z')), /^better .*: 2 -> 1 checks fail/);
    assert.match(told(failing('a: x', 'b: y', 'c: z'), failing('d: new')), /^REGRESSION .*\(d: new\)/);
    assert.match(told(failing('a: x'), failing('a: other')), /^changed .* still failed, for another reason/);
    assert.match(told(failing('a: x', 'b: y'), dead('it panicked')), /^REGRESSION .*: it died, .*panicked/);
    assert.match(
      told(dead('it panicked'), failing('a: x', 'b: y')),
      /^better .*: checks fail \(a: x\), where/,
    );
    assert.match(told(dead('it panicked'), dead('it hung')), /^changed .* still failed, for another reason/);
    assert.equal(told(dead('it hung'), dead('it hung')), 'nothing has changed\n');
  });

  test('is a regression when a limited cell has a limit more, and is told when fewer checks ran', () => {
    const limited = (...reasons: string[]) => one({ cells: [cell({ status: 'limited', reasons })] });
    const told = (before: Matrix, after: Matrix): string => diffText(diffMatrices(before, after));
    const place = 'host, overlay2 on ext4';
    assert.equal(
      told(limited('no quotas'), limited('no quotas', 'no attributes')),
      `REGRESSION  ${place}: is limited by more (no attributes)\n1 regression, 0 better, 0 other\n`,
    );
    assert.match(told(limited('a', 'b'), limited('c')), /^REGRESSION .*\(c\)/);
    assert.match(told(limited('a', 'b'), limited('b')), /^better .*: is limited by less \(no longer: a\)/);
    assert.equal(told(limited('a', 'b'), limited('b', 'a')), 'nothing has changed\n');
    const passed = (count: number) =>
      one({ cells: [cell({ tests: { passed: count, failed: 0, excused: 0 } })] });
    assert.equal(
      told(passed(66), passed(1)),
      `changed  ${place}: still works, 66 -> 1 checks passed\n0 regressions, 0 better, 1 other\n`,
    );
    assert.equal(told(passed(1), passed(66)), 'nothing has changed\n');
  });

  test('is told when a kernel does not run for another reason than before', () => {
    const unable = one({ error: 'cannot reach the mirror', errorOf: 'lab' });
    const panic = one({ error: 'the kernel panicked', errorOf: 'kernel' });
    const hung = one({ error: 'it hung', errorOf: 'kernel' });
    const told = (before: Matrix, after: Matrix): string => diffText(diffMatrices(before, after));
    assert.match(
      told(unable, panic),
      /^changed {2}host: it could not be tried before, and now the kernel panicked/,
    );
    assert.match(told(panic, hung), /^changed {2}host: it still did not run to the end: it hung/);
    assert.equal(told(panic, panic), 'nothing has changed\n');
  });

  test('is none of the kernel’s when this machine has not got the program that makes the filesystem', () => {
    const lacking = cell({
      status: 'unavailable',
      unavailableOf: 'lab',
      reasons: ['mkfs.ext4 is not installed'],
    });
    const untried = one({ cells: [lacking] });
    for (const status of ['works', 'refused', 'failed', 'unavailable'] as const) {
      const run = one({ cells: [cell({ status })] });
      const changes = [...diffMatrices(run, untried), ...diffMatrices(untried, run)];
      assert.deepEqual(
        changes.map(({ sort, text }) => [sort, text.replace('host, overlay2 on ext4: ', '')]),
        [
          ['other', `${status} -> not tried (mkfs.ext4 is not installed)`],
          ['other', `not tried -> ${status}`],
        ],
      );
    }
    assert.deepEqual(diffMatrices(untried, untried), []);
    const cannot = one({ cells: [cell({ status: 'unavailable', unavailableOf: 'kernel' })] });
    assert.ok(hasRegression(diffMatrices(one({ cells: [cell()] }), cannot)));
  });

  test('is none that matters when something is new, was not run or reads differently', () => {
    const before = one({ cells: [cell({ status: 'refused', reasons: ['probe /a/.tsengine-probe-1: x'] })] });
    const again = one({ cells: [cell({ status: 'refused', reasons: ['probe /a/.tsengine-probe-77: x'] })] });
    assert.deepEqual(diffMatrices(before, again), []);
    const other = one({ cells: [cell({ status: 'refused', reasons: ['y'] }), cell({ driver: 'vfs' })] });
    const changes = diffMatrices(before, other);
    assert.deepEqual(
      changes.map(({ sort }) => sort),
      ['other', 'other'],
    );
    assert.equal(hasRegression(diffMatrices(other, before)), false);
  });

  test('is a regression when less is looked at, and none when a filesystem cannot be had any more', () => {
    const before = one({ error: 'late', cells: [cell()], features: [feature()] });
    const gone = diffMatrices(before, one({ error: 'early' }));
    assert.ok(hasRegression(gone));
    assert.match(diffText(gone), /overlay2 on ext4: was not run\n(?:.*\n)*.*metacopy on ext4: was not tried/);
    const excused = one({ cells: [cell({ tests: { passed: 2, failed: 0, excused: 55 } })] });
    const changes = diffMatrices(one({ cells: [cell()] }), excused);
    assert.match(diffText(changes), /REGRESSION {2}host, overlay2 on ext4: 55 more checks are excused/);
    const failed = one({ cells: [cell({ status: 'failed' })] });
    const unknown = diffMatrices(failed, one({ cells: [cell({ status: 'unavailable' })] }));
    assert.deepEqual(
      unknown.map(({ sort }) => sort),
      ['other'],
    );
  });

  test('pairs kernels by name, and two single ones whatever their names are', () => {
    const old = matrix(kernel({ name: 'debian:6.1', cells: [cell()] }));
    const built = matrix(kernel({ name: './bzImage', cells: [cell({ status: 'failed' })] }));
    assert.match(
      diffText(diffMatrices(old, built)),
      /REGRESSION {2}debian:6\.1 -> \.\/bzImage, overlay2 on ext4/,
    );
    const two = matrix(kernel({ name: 'debian:6.1', cells: [cell()] }), kernel({ name: 'host' }));
    assert.deepEqual(
      diffMatrices(two, old).map(({ text }) => text),
      ['host: was not run'],
    );
  });
});

describe('for people', () => {
  const full = matrix(
    kernel({
      cells: [
        cell(),
        cell({
          backing: 'xfs',
          status: 'failed',
          tests: { passed: 56, failed: 1, excused: 0 },
          reasons: ['a | b\nc'],
        }),
        cell({ driver: 'vfs', backing: 'xfs', status: 'limited', reasons: ['no native diff'] }),
      ],
      features: [
        feature(),
        feature({ name: 'deferred removal', backing: null, answer: 'unknown', reason: 'why' }),
      ],
    }),
    kernel({
      name: 'debian:6.1',
      bootSeconds: 5.9,
      cells: [cell({ status: 'limited', reasons: ['no native diff'] })],
    }),
  );

  test('each reason has one number, and says where it is one', () => {
    const reasons = collectReasons(full.kernels);
    assert.deepEqual(
      reasons.list.map(({ number, where }) => [number, ...where]),
      [
        [1, 'overlay2 on xfs (host)'],
        [2, 'vfs on xfs (host)', 'overlay2 on ext4 (debian:6.1)'],
      ],
    );
  });

  test('Markdown has a table for each kernel, and no text of a driver breaks it', () => {
    const text = matrixMarkdown(full);
    assert.match(text, /^\| {2}\| ext4 \| xfs \|$/m);
    assert.match(text, /^\| overlay2 \| works 57\/57 \| \*\*failed\*\* 56\/57 \\\[1\] \|$/m);
    assert.match(text, /^\| deferred removal \| \? \| {2}\| {2}\|$/m);
    assert.match(text, /^1\. failed: a \\\| b c — overlay2 on xfs \(host\)$/m);
    assert.match(text, /booted in 5\.9 s/);
  });

  test('the summary counts, and names what failed', () => {
    assert.ok(hasFailures(full));
    assert.match(
      summaryText(full),
      /^host \(6\.1\.0\): 1 works, 1 limited, 1 failed\n {2}FAILED overlay2 on xfs: a/,
    );
    assert.ok(hasFailures(matrix(kernel({ error: 'no QEMU' }))));
    const died = feature({ answer: 'unknown', reason: 'it panicked', died: true });
    const dead = matrix(kernel({ features: [died, { ...died, name: 'index' }] }));
    assert.ok(hasFailures(dead));
    assert.match(summaryText(dead), /no cells\n {2}FAILED features of ext4: it panicked\n$/);
    assert.match(matrixMarkdown(dead), /^\| index \| {2}\| \*\*died\*\* \|$/m);
    assert.match(matrixPage(dead), /class="answer died"[^>]*>died</);
    assert.equal(hasFailures(matrix(kernel({ features: [feature({ answer: 'unknown' })] }))), false);
    const untried = cell({
      status: 'unavailable',
      unavailableOf: 'lab',
      reasons: ['xfs was not tried: why'],
    });
    assert.match(
      summaryText(matrix(kernel({ cells: [untried, { ...untried, driver: 'vfs' }] }))),
      /: 2 unavailable\n {2}xfs was not tried: why\n$/,
    );
    assert.equal(hasFailures(matrix(kernel({ cells: [cell({ status: 'refused' })] }))), false);
  });
});

test('a pool runs everything, no more than so many at once, and ends with the first failure', async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  const work = async (item: number): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (item === 3) throw new Error('three');
    done.push(item);
  };
  await pooled([1, 2, 4, 5, 6], 2, work);
  assert.deepEqual([done.sort(), most], [[1, 2, 4, 5, 6], 2]);
  await assert.rejects(pooled([1, 2, 3, 4, 5, 6], 2, work), /three/);
  assert.equal(running, 0);
});
