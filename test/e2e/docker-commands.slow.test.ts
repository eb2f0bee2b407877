/**
 * Command lines on images and stopped containers, run by Docker 20.10.24 and by tsengine on equal state: exit code,
 * standard output and standard error must be the same but for what `docker-commands/normalise.ts` lets differ.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isListed } from '../helpers/differences.ts';
import { dockerMissing } from '../helpers/docker.ts';
import { OF_ROWS, sampleOf } from '../helpers/scope.ts';
import { CHANGES } from './docker-commands/changes.ts';
import { Comparison, type Group, type Row } from './docker-commands/compare.ts';
import { DIFFERENT } from './docker-commands/different.ts';
import { IMAGES } from './docker-commands/images.ts';
import { INSPECT } from './docker-commands/inspect.ts';
import { REFUSED, USAGE } from './docker-commands/mistakes.ts';
import { PS } from './docker-commands/ps.ts';
import { READS } from './docker-commands/reads.ts';
import { makePair, type Pair } from './docker-commands/state.ts';

/** What a row asks for: a sample has every other command. */
function verbOf(row: Row): string {
  const [first = '', second = ''] = (typeof row === 'string' ? row : row.line).split(' ');
  return /^(?:container|image|system)$/.test(first) ? `${first} ${second}` : first;
}

/** Commands that change nothing. */
const ASKS = /^(?:inspect|history|images|ps)$/;

const skip = dockerMissing() ?? false;

describe('the same as docker', { skip }, () => {
  let pair: Pair;
  let comparison: Comparison;
  before(async () => {
    pair = await makePair();
    comparison = new Comparison(pair);
  });
  after(async () => await pair?.[Symbol.asyncDispose]());

  const compare = ({ name, rows }: Group) =>
    describe(name, () => {
      for (const row of rows) {
        const line =
          typeof row === 'string'
            ? row
            : `${row.line}${row.input === undefined ? '' : ` < ${JSON.stringify(row.input)}`}`;
        test(line, async () => await comparison.check(row));
      }
    });
  describe('right to differ', () => {
    for (const { line, input = '', why, code, stderr } of DIFFERENT) {
      test(`${line}: ${why}`, async () => {
        assert.ok(isListed(why), 'docs/differences.md lists it');
        const [docker, tsengine] = await comparison.ask({ line, input });
        assert.notDeepEqual(tsengine, docker, 'no longer differs: it belongs with the others');
        assert.equal(tsengine.code, code, tsengine.stderr);
        assert.match(tsengine.stderr, stderr);
      });
    }
  });
  for (const group of [...PS, ...IMAGES, ...INSPECT, ...READS, USAGE, REFUSED])
    compare({
      ...group,
      rows: sampleOf(group.rows, { ...OF_ROWS, kindOf: verbOf, of: group.name }),
    });
  // They need each other, and the others need the state that they change; what only asks can be left out.
  for (const group of CHANGES) {
    const asking = sampleOf(
      group.rows.filter((row) => ASKS.test(verbOf(row))),
      { ...OF_ROWS, kindOf: verbOf, of: group.name },
    );
    compare({
      ...group,
      rows: group.rows.filter((row) => !ASKS.test(verbOf(row)) || asking.includes(row)),
    });
  }
});
