/** A process of two-labs.slow.test.ts that takes folders for machines in a cache, one after the other, until its input ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LabCache } from '../../src/lab/cache.ts';

const complain = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const cache = new LabCache({ progress: complain, signal: undefined }, process.argv[2]);
let wanted = true;
process.stdin.on('end', () => {
  wanted = false;
});
process.stdin.resume();
process.stdout.write('starting\n');
while (wanted) {
  (await cache.workFolder('machine'))[Symbol.dispose]();
  // The other process gets a turn.
  await sleep(10);
}
