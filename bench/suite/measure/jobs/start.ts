/** Starting a container over many layers. */
import { runEngine } from '../engine.ts';
import { runWords } from '../session.ts';
import type { Job, Measured } from './job.ts';

/** How often in one run of the job. */
const TIMES = 3;

/** The job for an image of so many layers. */
export function startJob(layers: number): Job {
  const point = { layers };
  return {
    id: `start-${layers}`,
    series: [{ workload: 'layers.start', point }],
    run: async (rig, { isQuick }) => {
      const words = [...runWords(rig.container(), '--rm'), 'true'];
      const found: Measured[] = [];
      for (let time = 0; time < (isQuick ? 1 : TIMES); time++) {
        await rig.engine().quiet();
        const { result: ms, metered } = await rig.metered(async () => {
          const started = performance.now();
          await runEngine(rig.engine(), ...words);
          return performance.now() - started;
        });
        found.push({ workload: 'layers.start', point, reading: { value: ms, ...metered } });
      }
      await rig.engine().quiet();
      return found;
    },
  };
}
