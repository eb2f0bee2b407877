/** What the harness itself takes: a process that does nothing, started and waited for as every command is. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { compare, type Workload } from '../bench.ts';
import { tinyLayer } from '../fixtures.ts';
import { timed } from '../measure.ts';
import { WORK } from '../peers/store.ts';

const series = 'a static true';

/** Every time of a whole process holds as much. */
export const harness: Workload = {
  name: 'harness',
  run: async (bench) => {
    // The program is a busybox, which takes its name for its task.
    const folder = mkdtempSync(`${WORK}/true-`);
    execFileSync('tar', ['-xf', tinyLayer(), '-C', folder, './bin/busybox', './bin/true']);
    const sample = async () => ({ [series]: timed({ argv: [`${folder}/bin/true`] }) });
    return [
      await compare(bench, {
        name: 'harness',
        title: 'the harness: an empty command',
        unit: 'ms',
        contestants: [{ name: series, sample }],
        claims: [],
        notes: ['every time of a whole process here includes as much'],
        times: 4,
        warmups: 3,
      }),
    ];
  },
};
