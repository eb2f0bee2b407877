// Results and messages were taken from docker 20.10.24 with a local zone of UTC, or are Go's documented ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, humanDuration, parseDuration } from '../../../src/engine/text/duration.ts';
import {
  formatFixedTimestamp,
  formatTimestamp,
  parseTimeOption,
  parseTimestamp,
  ZERO_TIME,
} from '../../../src/engine/text/timestamp.ts';

process.env.TZ = 'UTC';

test('durations', () => {
  const cases: readonly (readonly [text: string, nanoseconds: bigint, written?: string])[] = [
    ['0', 0n, '0s'],
    ['1h2m3.5s', 3_723_500_000_000n],
    ['-1.5h', -5_400_000_000_000n, '-1h30m0s'],
    ['1.5ms', 1_500_000n],
    ['100ns', 100n],
    ['1.5us', 1500n, '1.5µs'],
    ['.5s', 500_000_000n, '500ms'],
    ['1.s', 1_000_000_000n, '1s'],
    ['+5m', 300_000_000_000n, '5m0s'],
    ['1h1h', 7_200_000_000_000n, '2h0m0s'],
  ];
  for (const [text, nanoseconds, written = text] of cases) {
    assert.equal(parseDuration(text), nanoseconds, text);
    assert.equal(formatDuration(nanoseconds), written);
  }
  const bad: readonly (readonly [text: string, message: string])[] = [
    ['', 'time: invalid duration ""'],
    ['x', 'time: invalid duration "x"'],
    ['1', 'time: missing unit in duration "1"'],
    ['1x', 'time: unknown unit "x" in duration "1x"'],
    ['1h-5m', 'time: unknown unit "h-" in duration "1h-5m"'],
    ['.s', 'time: invalid duration ".s"'],
    ['9999999999h', 'time: invalid duration "9999999999h"'],
  ];
  for (const [text, message] of bad) assert.throws(() => parseDuration(text), { message }, text);
});

test('durations in words', () => {
  const minute = 60;
  const hour = 3600;
  const day = 24 * hour;
  const cases: readonly (readonly [seconds: number, words: string])[] = [
    [-5, 'Less than a second'],
    [0.9, 'Less than a second'],
    [1.9, '1 second'],
    [59, '59 seconds'],
    [minute, 'About a minute'],
    [2 * minute, '2 minutes'],
    [59.9 * minute, '59 minutes'],
    [hour, 'About an hour'],
    [1.4 * hour, 'About an hour'],
    [1.5 * hour, '2 hours'],
    [47 * hour, '47 hours'],
    [2 * day, '2 days'],
    [13 * day, '13 days'],
    [14 * day, '2 weeks'],
    [59 * day, '8 weeks'],
    [60 * day, '2 months'],
    [729 * day, '24 months'],
    [730 * day, '2 years'],
  ];
  for (const [seconds, words] of cases) assert.equal(humanDuration(seconds), words, String(seconds));
});

test('timestamps', () => {
  const cases: readonly (readonly [text: string, nanoseconds: bigint])[] = [
    ['2020-01-02T03:04:05Z', 1_577_934_245_000_000_000n],
    ['2020-01-02T03:04:05.123456789Z', 1_577_934_245_123_456_789n],
    ['2020-01-02T03:04:05.5Z', 1_577_934_245_500_000_000n],
    ['1969-12-31T23:59:59.9Z', -100_000_000n],
  ];
  for (const [text, nanoseconds] of cases) {
    assert.equal(parseTimestamp(text), nanoseconds);
    assert.equal(formatTimestamp(nanoseconds), text);
  }
  assert.equal(formatTimestamp(parseTimestamp(ZERO_TIME)), ZERO_TIME);
  assert.equal(parseTimestamp('2020-01-02T03:04:05+02:00'), 1_577_927_045_000_000_000n);
  assert.equal(formatFixedTimestamp(1_577_934_245_500_000_000n), '2020-01-02T03:04:05.500000000Z');
  assert.throws(() => parseTimestamp('2020-02-30T00:00:00Z'), {
    message: 'parsing time "2020-02-30T00:00:00Z": day out of range',
  });
});

test('--since and --until', () => {
  const second = 1_000_000_000n;
  const now = 1_795_332_421n * second + 7n;
  const cases: readonly (readonly [value: string, nanoseconds: bigint])[] = [
    ['10m', (1_795_332_421n - 600n) * second],
    ['1.5h', (1_795_332_421n - 5400n) * second],
    ['-5m', (1_795_332_421n + 300n) * second],
    ['0', 0n],
    ['2020', 2020n * second],
    ['1577934245.5', 1_577_934_245_500_000_000n],
    ['1577934245.1234567891', 1_577_934_245_123_456_789n],
    ['2020-01-02', 1_577_923_200n * second],
    ['2020-01-02T03', 1_577_934_000n * second],
    ['2020-01-02T03:04', 1_577_934_240n * second],
    ['2020-01-02T03:04:05', 1_577_934_245n * second],
    ['2020-01-02T03:04:05.5', 1_577_934_245_500_000_000n],
    ['2020-01-02T03:04:05,5', 1_577_934_245_500_000_000n],
    ['2020-01-02T03:04:05+02:00', 1_577_927_045n * second],
    ['2020-01-02T03:04:05.123456789Z', 1_577_934_245_123_456_789n],
    ['2020-01-02Z', 1_577_923_200n * second],
    ['2020-01-02+02:00', 1_577_916_000n * second],
    ['2020-01-02T03Z', 1_577_934_000n * second],
    ['2020-01-02T03:04-01:00', 1_577_937_840n * second],
  ];
  for (const [value, nanoseconds] of cases) assert.equal(parseTimeOption(value, now), nanoseconds, value);
  const bad: readonly (readonly [value: string, message: string])[] = [
    ['x', 'failed to parse value as time or duration: "x"'],
    ['1e3', 'failed to parse value as time or duration: "1e3"'],
    ['.5', 'failed to parse value as time or duration: ".5"'],
    ['2020-13-01', 'parsing time "2020-13-01": month out of range'],
    ['2020-1-2', 'parsing time "2020-1-2" as "2006-01-02": cannot parse "1-2" as "01"'],
    ['2020-01-02 03:04', 'parsing time "2020-01-02 03:04": extra text: " 03:04"'],
  ];
  for (const [value, message] of bad) assert.throws(() => parseTimeOption(value, now), { message }, value);
});
