/**
 * The engine's own tests on what most people have: cgroup v2 with systemd and AppArmor, on Debian's 6.12 and 5.10, with runc
 * and with crun, Docker beside it. In a full run; what of it every run has is in machine.slow.test.ts.
 *
 *     TSENGINE_TEST_FULL=1 TSENGINE_TEST_ENGINE=debian:6.12:crun sh scripts/node24.sh --test test/lab/engine.slow.test.ts
 */
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { test } from 'node:test';
import { runInMachine } from '../../src/lab/lab.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { FULL } from '../helpers/scope.ts';

/** Test files, as shell patterns below the checkout. */
const FILES = [
  'test/engine/**/*.test.ts',
  'test/linux/*.test.ts',
  'test/e2e/foreground.slow.test.ts',
  'test/e2e/docker-run.slow.test.ts',
];

const HOUR = 3_600_000;
/** One of MACHINES alone. */
const ONLY = process.env.TSENGINE_TEST_ENGINE;

const MACHINES = ['debian:6.12', 'debian:5.10'].flatMap((kernel) =>
  ['runc', 'crun'].map((runtime) => ({ kernel, runtime, name: `${kernel}:${runtime}` })),
);

/** Runs the tests in a machine. What failed is in its output, which is shown. */
async function runThere(kernel: string, runtime: string): Promise<void> {
  let said = '';
  const script = [
    'mkdir /tmp/base && cat >/tmp/base/tiny.tar && cd /opt/tsengine && shopt -s globstar',
    `exec node --disable-warning=ExperimentalWarning --test --test-reporter=spec --test-concurrency=2 ${FILES.join(' ')}`,
  ].join('\n');
  const { exitCode } = await runInMachine({
    kernel,
    with: ['systemd', 'docker'],
    command: ['bash', '-c', script],
    env: {
      TSENGINE_BASE_IMAGES: '/tmp/base',
      TSENGINE_TEST_RUNTIME: runtime,
      TSENGINE_TEST_ALL: '1',
      TSENGINE_TEST_ROWS: 'half',
    },
    memory: 4 * 2 ** 30,
    timeoutMs: 2 * HOUR,
    stdin: createReadStream(await tinyRootfs()),
    onOutput: (_, data) => {
      said += data.toString();
    },
  });
  assert.equal(exitCode, 0, said.slice(said.lastIndexOf('failing tests:')));
  assert.match(said, /^ℹ pass \d{2,}$/m);
}

for (const { kernel, runtime, name } of MACHINES) {
  const skip = !FULL ? 'npm run test:full' : ONLY !== undefined && ONLY !== name ? `only ${ONLY}` : false;
  test(`the engine's tests on ${kernel} with systemd and ${runtime}`, { skip, timeout: 3 * HOUR }, () =>
    runThere(kernel, runtime),
  );
}
