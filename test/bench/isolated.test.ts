import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import type { WorkloadEvent } from '../../bench/events.ts';
import { runIsolated } from '../../bench/isolated.ts';
import { WORK } from '../../bench/peers/store.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';

const request = {
  ...{ workload: 'harness', runs: 2, quick: true, seed: 1, launcher: '/nonexistent/tsengine' },
  ...{ images: tmpdir(), owner: process.pid, at: 5000 },
};

/** Runs a workload and gives what it told. */
async function told(workload: string, signal = new AbortController().signal): Promise<WorkloadEvent[]> {
  const events: WorkloadEvent[] = [];
  await runIsolated({ ...request, workload }, signal, (event) => events.push(event));
  return events;
}

describe('a workload in a process of its own', () => {
  test('tells what it measured, and mounts nothing that others see', async () => {
    // Those that a workload makes; other tests' come and go.
    const its = [WORK, '/dev/shm'];
    const mounts = () => readMountInfo().filter(({ mountPoint }) => its.includes(mountPoint.toString()));
    const before = mounts();
    const events = await told('harness');
    assert.deepEqual(mounts(), before);
    const found = events.flatMap((event) => (event.event === 'comparison' ? [event.comparison] : []));
    assert.deepEqual(
      found.map(({ name, series }) => [name, series.map((one) => [one.name, one.samples.length])]),
      [['harness', [['a static true', 2]]]],
    );
    assert.ok(found[0]?.series[0]?.samples.every(({ value, at }) => value > 0 && at > 5000));
    assert.deepEqual(events.at(-1), { event: 'done' });
  });

  test('fails with the reason', async () => {
    await assert.rejects(told('startup'), /\/nonexistent\/tsengine/);
  });

  test('is ended by a signal', async () => {
    const abort = new AbortController();
    abort.abort(new Error('enough'));
    await assert.rejects(told('harness', abort.signal), /enough/);
  });
});
