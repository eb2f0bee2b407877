/** What tells series apart. */
import type { SeriesName } from './jobs/job.ts';

/** One text for each series of each subject. */
export function seriesKey(subject: string, { workload, point }: SeriesName): string {
  const scales = Object.keys(point)
    .sort()
    .map((name) => `${name}=${point[name]}`);
  return [subject, workload, ...scales].join(' ');
}
