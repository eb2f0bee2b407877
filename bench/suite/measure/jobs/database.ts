/** What databases do: small writes at random places, each on disk before the next. */
import { ROOT } from '../trees.ts';
import { figure, type Job, meteredCall, readingOf } from './job.ts';

const SIZE = 64 * 1024 * 1024;
const TRANSACTIONS = 100;

/** The job. Both files are the container's own. */
export const databaseJob: Job = {
  id: 'database',
  series: [
    { workload: 'database.write-fsync', point: {} },
    { workload: 'database.sqlite', point: {} },
  ],
  run: async (rig, { fioSeconds, time }) => {
    await using session = await rig.open();
    const path = `${ROOT}/data-${time}`;
    await session.call('make-file', { path, size: SIZE });
    const args = {
      path,
      size: SIZE,
      mode: 'randwrite',
      block: 4096,
      seconds: fioSeconds,
      fsyncEach: true,
      loops: 1,
    };
    const writes = await meteredCall(rig, () => session.call('fio', args));
    await session.call('remove', { path });
    const base = `${ROOT}/base-${time}`;
    const sqlite = await meteredCall(rig, () => session.call('sqlite', { path: base, count: TRANSACTIONS }));
    await session.call('remove', { path: base });
    return [
      {
        workload: 'database.write-fsync',
        point: {},
        reading: {
          ...readingOf(figure(writes.answer, 'operations'), writes.answer, writes.metered),
          switches: figure(writes.answer, 'switches'),
        },
      },
      {
        workload: 'database.sqlite',
        point: {},
        reading: readingOf(figure(sqlite.answer, 'rate'), sqlite.answer, sqlite.metered),
      },
    ];
  },
};
