/** A run that was killed goes on from its log, and no other does. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openBenchLog } from '../../../bench/suite/measure/bench-log.ts';
import { blocksOf, type Selection } from '../../../bench/suite/measure/blocks.ts';
import { type BenchEvent, eventLine, parseEventLine } from '../../../bench/suite/measure/events.ts';
import { describeMachine } from '../../../bench/suite/measure/machine.ts';
import { noTime } from '../../../bench/suite/measure/no-time.ts';
import { resultOf } from '../../../bench/suite/measure/result.ts';
import { planSubjects } from '../../../bench/suite/measure/subjects.ts';
import { schemas } from '../../../bench/suite/schema.ts';
import { TsengineError } from '../../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-bench-log-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const RUN = { conditions: 'a', command: 'tsengine bench --quick', started: '2026-01-02T03:04:05.000Z' };

function sampleOf(value: number): BenchEvent {
  const of = { block: 'harness', subject: 'overlay2@ext4' };
  return { event: 'sample', ...of, workload: 'harness.run', point: {}, sample: { value, at: 1 } };
}

test('what was told is known again, but for a line that was cut off', () => {
  const out = join(folder, 'again');
  {
    using log = openBenchLog(out, RUN, false);
    log.add(sampleOf(1));
    appendFileSync(join(out, 'progress.jsonl'), eventLine(sampleOf(2)).slice(0, 50));
  }
  {
    using log = openBenchLog(out, RUN, false);
    assert.deepEqual(
      log.known.map(({ event }) => event),
      ['run', 'sample'],
    );
    log.add(sampleOf(3));
  }
  using log = openBenchLog(out, RUN, false);
  assert.deepEqual(log.known.slice(1), [sampleOf(1), sampleOf(3)]);
});

test('a run that was finished leaves nothing to go on from', () => {
  const out = join(folder, 'finished');
  {
    using log = openBenchLog(out, RUN, false);
    log.add(sampleOf(1));
    log.finish();
  }
  using log = openBenchLog(out, RUN, false);
  assert.deepEqual(log.known, []);
});

test('another run is refused, with the command that goes on', () => {
  const out = join(folder, 'another');
  openBenchLog(out, RUN, false)[Symbol.dispose]();
  const other = { ...RUN, conditions: 'b' };
  assert.throws(
    () => openBenchLog(out, other, false),
    (error) =>
      error instanceof TsengineError && error.code === 'Conflict' && error.message.includes(RUN.command),
  );
  openBenchLog(out, other, true)[Symbol.dispose]();
});

test('two runs at once do not share a folder', () => {
  const out = join(folder, 'shared');
  using _ = openBenchLog(out, RUN, false);
  assert.throws(
    () => openBenchLog(out, RUN, false),
    (error) => error instanceof TsengineError && error.code === 'Conflict',
  );
});

test('lines of something else are no events', () => {
  for (const line of ['', 'hello', '@tsengine-bench {"event":"unknown"}', '@tsengine-bench {'])
    assert.equal(parseEventLine(line), undefined);
});

test('a result has all samples, and says why others are missing', () => {
  const selection: Selection = { extent: 'quick', workloads: ['harness'] };
  const subjects = planSubjects({
    drivers: ['overlay2'],
    peers: [],
    isQuick: true,
    machineOf: () => 'host',
  });
  const events: BenchEvent[] = [
    sampleOf(5),
    sampleOf(7),
    { event: 'failed', block: 'harness', subject: 'raw@ext4', job: null, reason: 'no mkfs' },
  ];
  const facts = { command: 'c', started: RUN.started, seconds: 1, seed: 1, interrupted: false };
  const result = schemas().result.parse(
    resultOf(events, { selection, blocks: blocksOf(selection), subjects }, facts),
  );
  const found = result.series.map(({ subject, workload, samples, error }) => [
    ...[subject, workload, samples.map(({ value }) => value), error],
  ]);
  assert.deepEqual(found, [
    ['overlay2@ext4', 'harness.run', [5, 7], undefined],
    ['raw@ext4', 'harness.run', [], 'no mkfs'],
    ['raw@ext4', 'harness.call', [], 'no mkfs'],
  ]);
  assert.equal(result.subjects.find(({ id }) => id === 'raw@ext4')?.failed, 'no mkfs');
});

test('what there was no time for, and what failed, is no error once it was measured by the run that went on', () => {
  const selection: Selection = { extent: 'quick', workloads: ['harness.run'] };
  const subjects = planSubjects({
    ...{ drivers: ['overlay2'], peers: [], isQuick: true },
    machineOf: (driver) => (driver === 'zfs' ? 'debian:6.1' : 'host'),
  });
  const of = { block: 'harness', subject: 'overlay2@ext4' };
  const late: BenchEvent = { event: 'failed', ...of, job: 'harness', reason: noTime(1, 4) };
  const plan = { selection, blocks: blocksOf(selection), subjects };
  const facts = { command: 'c', started: RUN.started, seconds: 1, seed: 1, interrupted: false };
  const errors = (events: readonly BenchEvent[]) =>
    resultOf(events, plan, facts).series.map(({ subject, error }) => [subject, error]);
  assert.deepEqual(errors([sampleOf(5), late]), [['overlay2@ext4', noTime(1, 4)]]);
  assert.deepEqual(errors([sampleOf(5), late, sampleOf(6)]), [['overlay2@ext4', undefined]]);
});

test('versions are those of the machine that told them', () => {
  const selection: Selection = { extent: 'quick', workloads: ['harness.run'] };
  const subjects = planSubjects({
    ...{ drivers: ['overlay2', 'zfs'], peers: [], isQuick: true },
    machineOf: (driver) => (driver === 'zfs' ? 'debian:6.1' : 'host'),
  });
  const machine = { ...describeMachine('host', folder), versions: {} };
  const facts = { command: 'c', started: RUN.started, seconds: 1, seed: 1, interrupted: false };
  const { machines } = resultOf(
    [
      { event: 'machine', machine },
      { event: 'version', machine: 'host', name: 'fio', version: '1' },
      { event: 'machine', machine: { ...machine, id: 'debian:6.1' } },
      { event: 'version', machine: 'debian:6.1', name: 'fio', version: '1' },
      { event: 'version', machine: 'debian:6.1', name: 'zfs', version: '2.1' },
    ],
    { selection, blocks: blocksOf(selection), subjects },
    facts,
  );
  assert.deepEqual(
    machines.map(({ id, versions }) => [id, versions]),
    [
      ['host', { fio: '1' }],
      ['debian:6.1', { fio: '1', zfs: '2.1' }],
    ],
  );
});
