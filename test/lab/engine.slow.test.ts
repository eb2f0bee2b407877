/**
 * The engine's own tests on what most people have: cgroup v2 with systemd and AppArmor, on Debian's 6.12 and 5.10, with runc
 * and with crun, Docker beside it. In a full run; what of it every run has is in machine.slow.test.ts.
 *
 *     TSENGINE_TEST_FULL=1 TSENGINE_TEST_ENGINE=debian:6.12:crun sh scripts/node24.sh --test test/lab/engine.slow.test.ts
 *     … TSENGINE_TEST_FILES='test/drivers/*[!w].test.ts' …      these alone
 */
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { FULL, onlyOne } from '../helpers/scope.ts';
import { inMachine } from './in-machine.ts';

/** Test files, as shell patterns below the checkout; of the drivers those that are not slow. */
const FILES = [
  'test/engine/**/*.test.ts',
  'test/linux/*.test.ts',
  'test/drivers/*[!w].test.ts',
  'test/e2e/foreground.slow.test.ts',
  'test/e2e/docker-run.slow.test.ts',
  'test/e2e/kill-others.slow.test.ts',
];

const HOUR = 3_600_000;

const MACHINES = ['debian:6.12', 'debian:5.10'].flatMap((kernel) =>
  ['runc', 'crun'].map((runtime) => ({ kernel, runtime, name: `${kernel}:${runtime}` })),
);

/** One of them alone, in any run. */
const ONLY = onlyOne(
  'TSENGINE_TEST_ENGINE',
  MACHINES.map(({ name }) => name),
);

/** Runs the tests in a machine. What failed is in its output, which is shown. */
async function runThere(kernel: string, runtime: string): Promise<void> {
  const script = [
    'mkdir /tmp/base && cat >/tmp/base/tiny.tar && cd /opt/tsengine && shopt -s globstar failglob',
    // Without what was compiled each file loads Node's type stripper, whose WebAssembly is slow under translation, and
    // once in some hundred files died there of SIGSEGV.
    `exec node --disable-warning=ExperimentalWarning --import ./test/helpers/compile-cache.ts --test --test-reporter=spec --test-concurrency=2 ${process.env.TSENGINE_TEST_FILES ?? FILES.join(' ')}`,
  ].join('\n');
  const { exitCode, said } = await inMachine({
    kernel,
    with: ['systemd', 'docker'],
    command: ['bash', '-c', script],
    env: {
      TSENGINE_BASE_IMAGES: '/tmp/base',
      TSENGINE_TEST_COMPILED: '/tmp/compiled',
      TSENGINE_TEST_RUNTIME: runtime,
      TSENGINE_TEST_ALL: '1',
      // All rows beside Docker; of the kills the sample that every run has.
      TSENGINE_TEST_ROWS: 'all',
    },
    memory: 4 * 2 ** 30,
    timeoutMs: 2 * HOUR,
    stdin: createReadStream(await tinyRootfs()),
  });
  assert.equal(exitCode, 0, said.slice(said.lastIndexOf('failing tests:')));
  assert.match(said, /^ℹ pass \d+$/m);
  // What only a machine can show, unless other files were asked for.
  if (process.env.TSENGINE_TEST_FILES === undefined)
    for (const row of [
      '--privileged',
      '--cap-add ALL',
      'run --rm --ulimit nofile=',
      'run --rm --oom-score-adj -500',
    ])
      assert.ok(said.includes(`✔ ${row}`), `no row ${row} has passed`);
}

for (const { kernel, runtime, name } of MACHINES) {
  const left = FULL ? false : 'npm run test:full';
  const skip = ONLY === undefined ? left : ONLY === name ? false : `only ${ONLY}`;
  test(`the engine's tests on ${kernel} with systemd and ${runtime}`, { skip, timeout: 3 * HOUR }, () =>
    runThere(kernel, runtime),
  );
}
