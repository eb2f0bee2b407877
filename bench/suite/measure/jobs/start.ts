/** Starting a container over many layers. */
import { runEngine } from '../engine.ts';
import { runWords } from '../session.ts';
import type { Job } from './job.ts';

/** The job for an image of so many layers. */
export function startJob(layers: number): Job {
  const point = { layers };
  return {
    id: `start-${layers}`,
    series: [{ workload: 'layers.start', point }],
    run: async (rig) => {
      await rig.engine().quiet();
      const words = [...runWords(rig.container(), '--rm'), 'true'];
      const { result: ms, metered } = await rig.metered(async () => {
        const started = performance.now();
        await runEngine(rig.engine(), ...words);
        return performance.now() - started;
      });
      await rig.engine().quiet();
      return [{ workload: 'layers.start', point, reading: { value: ms, ...metered } }];
    },
  };
}
