import type { Command } from 'commander';
import { writeOutNow } from '../output.ts';

/** `tsengine bench list`: the workloads by groups, with the scales on which each is measured. */
export function register(command: Command): void {
  command
    .usage('')
    .description('Names, their groups and their beginnings up to a dot go behind tsengine bench --workloads.')
    .action(async () => {
      const { CATALOGUE, SCALES } = await import('../../../bench/suite/catalogue.ts');
      const column = Math.max(...CATALOGUE.map(({ id }) => id.length)) + 2;
      const lines: string[] = [];
      let last = '';
      for (const { id, group, title, unit, scales } of CATALOGUE) {
        if (group !== last) lines.push(...(last === '' ? [] : ['']), group);
        last = group;
        lines.push(`  ${id.padEnd(column)}${title} (${[unit, ...scales].join('; ')})`);
      }
      lines.push('', 'scales: with --quick | as a rule | with --full');
      for (const [name, { quick, usual, full }] of Object.entries(SCALES))
        lines.push(`  ${name.padEnd(12)}${[quick, usual, full].map((list) => list.join(' ')).join(' | ')}`);
      writeOutNow(1, `${lines.join('\n')}\n`);
    });
}
