/**
 * Flags of `run` and `create`, one combination a row, run by Docker 20.10.24 and by tsengine on the same image: what a
 * process in the container sees, standard output, standard error and exit code must be the same but for what
 * `docker-run/normalise.ts` lets differ.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openCli } from '../helpers/cli.ts';
import { dockerMissing } from '../helpers/docker.ts';
import { OF_ROWS, sampleOf } from '../helpers/scope.ts';
import { checkRow, type Row, type Theme, unusedFlags } from './docker-run/compare.ts';
import { IDENTITY } from './docker-run/identity.ts';
import { LIFE } from './docker-run/life.ts';
import { MISTAKES } from './docker-run/mistakes.ts';
import { MOUNTS } from './docker-run/mounts.ts';
import { makePair, type Pair } from './docker-run/pair.ts';
import { checkPrivateRoot } from './docker-run/propagation.ts';
import { lacksCapability, SECURITY, WHOLE } from './docker-run/security.ts';

/** What a row is about: a sample has every other flag that a row begins with. */
function firstFlag({ name }: Row): string {
  return name.replace(/[ =].*/, '');
}

const THEMES = [IDENTITY, MOUNTS, SECURITY, LIFE, MISTAKES];
const skip = dockerMissing() ?? false;

describe('containers as docker runs them', { skip }, () => {
  let pair: Pair;
  before(async () => {
    pair = await makePair();
  });
  after(async () => await pair?.[Symbol.asyncDispose]());

  const compare = ({ name, rows }: Theme) =>
    describe(name, { concurrency: 4 }, () => {
      for (const row of rows) test(row.name, async () => await checkRow(pair, row));
    });
  for (const theme of THEMES)
    compare({
      ...theme,
      rows: sampleOf(theme.rows, { ...OF_ROWS, kindOf: firstFlag, of: theme.name }),
    });

  const reason =
    'this host lacks a capability: test/lab/engine.slow.test.ts has hosts with all, npm run test:full';
  describe('what only root of a whole machine may give', { concurrency: 4 }, () => {
    for (const row of WHOLE)
      test(row.name, { skip: lacksCapability() ? reason : false }, async () => await checkRow(pair, row));
  });

  test('a data root on a private mount differs as it is listed', checkPrivateRoot);
});

test('every flag of run and create is in the table', async () => {
  await using cli = openCli('overlay2');
  assert.deepEqual(unusedFlags(THEMES, `${cli.ok(['run', '--help'])}${cli.ok(['create', '--help'])}`), []);
});
