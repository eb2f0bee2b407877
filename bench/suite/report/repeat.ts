/** The commands that measure figures again. */
import { shellWord } from '../../../src/linux/command.ts';
import type { Result, Subject } from '../schema.ts';

/** A flag with its value, as a shell reads it: a word, or several pieces in quotes. */
const FLAG = (name: string): RegExp =>
  new RegExp(` --${name}(?:=| +)(?:'[^']*'|"[^"]*"|\\\\.|[^\\s'"\\\\])+`, 'g');

/** Measures one workload again, with one subject and the raw filesystem beneath it, or with all. */
export function repeatCommand({ command }: Result, workload: string, subject?: Subject): string {
  const line = command.replaceAll(/\s+/g, ' ').trim();
  const plain = line.replaceAll(FLAG('workloads'), '');
  const { kind = 'raw', driver = null } = subject ?? {};
  const isOne = kind === 'driver' && driver !== null;
  const base = isOne ? plain.replaceAll(FLAG('drivers'), '') : plain;
  const drivers = isOne ? ` --drivers ${shellWord(driver)}` : '';
  return `${base}${drivers} --workloads ${shellWord(workload)}`;
}
