/** What is said of what was not measured often enough for want of time. */

const ADVICE = 'give more with --budget';

/** Of a job that has had so many of the turns that anything said of it needs. */
export function noTime(turns: number, least: number): string {
  if (turns === 0) return `there was no time for it: ${ADVICE}`;
  return `there was time for ${turns} of the ${least} turns that a comparison needs: ${ADVICE}`;
}

/** Whether a reason is one of these. */
export function isNoTime(reason: string): boolean {
  return reason.startsWith('there was ') && reason.endsWith(ADVICE);
}
