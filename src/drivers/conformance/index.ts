import { attributeChecks } from './attributes.ts';
import { contentChecks } from './contents.ts';
import { costChecks } from './costs.ts';
import { crashChecks } from './crashes.ts';
import { depthChecks } from './depth.ts';
import { differenceChecks } from './differences.ts';
import { fullChecks } from './full-disks.ts';
import { historyChecks } from './histories.ts';
import { hostileTarChecks } from './hostile-tars.ts';
import { impliedChecks } from './implied.ts';
import { lifeChecks } from './life.ts';
import { longPathChecks } from './long-paths.ts';
import { manyChecks } from './many.ts';
import { openingChecks } from './openings.ts';
import { quotaChecks } from './quotas.ts';
import { readingChecks } from './readings.ts';
import type { Check } from './suite.ts';
import { truthChecks } from './truths.ts';

export type { Job, JobResult } from './job.ts';
export { runJob } from './job.ts';
export type { Check, Subject } from './suite.ts';

/** All checks, in an order in which the first failure says most. */
export const CHECKS: readonly Check[] = [
  ...lifeChecks,
  ...truthChecks,
  ...quotaChecks,
  ...openingChecks,
  ...longPathChecks,
  ...readingChecks,
  ...contentChecks,
  ...differenceChecks,
  ...impliedChecks,
  ...hostileTarChecks,
  ...attributeChecks,
  ...costChecks,
  ...manyChecks,
  ...depthChecks,
  ...historyChecks,
  ...crashChecks,
  ...fullChecks,
];
