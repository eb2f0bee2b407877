/**
 * Two to eight processes at once on one data root, in random order: six storms of 2 000 operations in a full run, three of
 * a hundred each in `npm test`: fewer than a hundred do not have each kind. A seed fixes what each process draws, not how they
 * meet; `TSENGINE_TEST_SEED=7 node --test test/e2e/many-processes.slow.test.ts` takes another than the fixed ones, and a
 * failure names the one it had.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { testBundle } from '../helpers/bundle.ts';
import { recount } from '../helpers/recount.ts';
import { inFullRuns, sized } from '../helpers/scope.ts';
import { command } from './many-processes/lanes.ts';
import { seedsFor } from './many-processes/random.ts';
import { type StormOptions, storm, stormRoots } from './many-processes/storm.ts';
import { makeMaterial, WEIGHTS } from './many-processes/world.ts';

type Storm = Omit<StormOptions, 'bundle' | 'seed'>;

const STORMS: readonly (readonly [title: string, seed: number, options: Storm])[] = [
  [
    'two commands, layers synced',
    11,
    { driver: 'overlay2', operations: sized(250, 100), commands: 2, engines: 0, sync: true },
  ],
  [
    'two processes that stay open',
    12,
    { driver: 'overlay2', operations: sized(350, 100), commands: 0, engines: 2 },
  ],
  [
    'four, half of them staying open',
    13,
    { driver: 'overlay2', operations: sized(450, 100), commands: 2, engines: 2 },
  ],
  ['eight', 14, { driver: 'overlay2', operations: sized(450, 100), commands: 5, engines: 3 }],
  [
    'six, with kills',
    15,
    { driver: 'overlay2', operations: sized(300, 120), commands: 4, engines: 2, killOneIn: 6 },
  ],
  ['vfs', 16, { driver: 'vfs', operations: sized(200, 100), commands: 2, engines: 2 }],
];

/** What differs in them from the others is less than what these have of their own. */
const IN_FULL_RUNS: ReadonlySet<string> = new Set([
  'two processes that stay open',
  'four, half of them staying open',
  'vfs',
]);

/**
 * Fails unless half of all was done and not only tried (less where some are killed), and each kind was tried: the names
 * could be gone each time.
 */
function enoughWasDone(counts: Readonly<Record<string, number>>, options: Storm): void {
  const ended = (how: string): number =>
    Object.entries(counts).reduce((sum, [key, count]) => sum + (key.endsWith(` ${how}`) ? count : 0), 0);
  assert.equal(ended('done') + ended('failed') + ended('killed'), options.operations);
  const least = options.operations * (options.killOneIn === undefined ? 0.5 : 0.4);
  assert.ok(ended('done') >= least, `too little was done: ${JSON.stringify(counts)}`);
  const tried = new Set(Object.keys(counts).map((key) => key.slice(0, key.indexOf(' '))));
  const untried = Object.keys(WEIGHTS).filter((kind) => !tried.has(kind));
  assert.deepEqual(untried, [], JSON.stringify(counts));
  const lives = ['start done', 'stop done', 'kill done'].reduce((sum, key) => sum + (counts[key] ?? 0), 0);
  assert.ok(
    lives * 100 >= options.operations,
    `few were started, stopped or killed: ${JSON.stringify(counts)}`,
  );
  if (options.killOneIn !== undefined) assert.ok(ended('killed') > 0, JSON.stringify(counts));
}

describe('many processes on one data root', () => {
  for (const [title, fixed, options] of STORMS) {
    for (const seed of seedsFor([fixed])) {
      const skip = IN_FULL_RUNS.has(title) && inFullRuns('the other storms in every run');
      it(`${title}: ${options.operations} operations, seed ${seed}`, { skip }, async (test) => {
        const { counts, problems } = await storm({ ...options, bundle: testBundle(), seed });
        test.diagnostic(JSON.stringify(counts));
        assert.deepEqual(problems, [], `TSENGINE_TEST_SEED=${seed}`);
        enoughWasDone(counts, options);
      });
    }
  }

  for (const driver of ['overlay2', 'vfs']) {
    const skip = driver !== 'overlay2' && inFullRuns('overlay2 in every run');
    it(`eight commands at once make an empty data root, ${driver}`, { skip }, async () => {
      const bundle = testBundle();
      for (let round = 0; round < sized(3, 1); round += 1) {
        await using roots = stormRoots(driver, false);
        const { archives, tar } = await makeMaterial(`${roots.base}/archives`);
        const load = ['load', '-q', '-i', archives[0]?.file ?? ''];
        const create = ['create', 'run:one', 'true'];
        const first = [
          load,
          load,
          ['import', tar, 'own:1'],
          ['images'],
          ['ps'],
          ['info'],
          ['image', 'prune', '-f'],
          load,
        ];
        const ended = await Promise.all(first.map((words) => command(bundle, roots, words)));
        for (const [index, { code, stderr }] of ended.entries())
          assert.deepEqual([code, stderr], [0, ''], first[index]?.join(' '));
        const made = await Promise.all(Array.from({ length: 4 }, () => command(bundle, roots, create)));
        assert.deepEqual(
          made.map(({ code, stderr }) => [code, stderr]),
          made.map(() => [0, '']),
        );
        const counted = recount(roots.dataRoot, roots.execRoot, driver);
        assert.deepEqual(counted.problems, []);
        assert.deepEqual([...counted.tags.keys()].sort(), ['own:1', 'run:one']);
        assert.equal(counted.containers.size, 4);
      }
    });
  }
});
