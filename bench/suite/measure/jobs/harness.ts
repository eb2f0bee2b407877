/** What the harness itself costs: a container that measures nothing, and a call that touches no disk. */
import type { Metered } from '../meter.ts';
import { figure, type Job, meteredCall, readingOf } from './job.ts';

const TIMES = 5000;
const POINT = {};

/** The job. */
export const harnessJob: Job = {
  id: 'harness',
  series: [
    { workload: 'harness.run', point: POINT },
    { workload: 'harness.call', point: POINT },
  ],
  run: async (rig) => {
    const timed = async <T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly ms: number }> => {
      const started = performance.now();
      const result = await work();
      return { result, ms: performance.now() - started };
    };
    const { result: opened, metered } = await rig.metered(() =>
      timed(async () => {
        const session = await rig.open();
        await session.call('nothing');
        return session;
      }),
    );
    // Between its beginning and its end, which are one figure, the other one is had.
    const { answer, metered: beside } = await meteredCall(rig, () =>
      opened.result.call('stat-root', { times: TIMES }),
    );
    const closed = await timed(async () => opened.result[Symbol.asyncDispose]());
    return [
      { workload: 'harness.run', point: POINT, reading: { value: opened.ms + closed.ms, ...metered } },
      {
        workload: 'harness.call',
        point: POINT,
        reading: readingOf(figure(answer, 'ms'), answer, quiet(beside)),
      },
    ];
  },
};

/** It touches no disk: what else wrote meanwhile is none of its. */
function quiet({ disturbed }: Metered): Metered {
  return { deviceRead: 0, deviceWritten: 0, ...(disturbed === undefined ? {} : { disturbed }) };
}
