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
    const { result: ms, metered } = await rig.metered(async () => {
      const started = performance.now();
      {
        await using session = await rig.open();
        await session.call('nothing');
      }
      return performance.now() - started;
    });
    await using session = await rig.open();
    const { answer, metered: beside } = await meteredCall(rig, () =>
      session.call('stat-root', { times: TIMES }),
    );
    return [
      { workload: 'harness.run', point: POINT, reading: { value: ms, ...metered } },
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
