/** The commands that measure figures again. */
import { shellWord } from '../../../src/linux/command.ts';
import type { Result, Subject } from '../schema.ts';
import type { ClaimVerdict } from './claims/claims.ts';
import type { Topic } from './words.ts';

/** A flag with its value, as a shell reads it: a word, or several pieces in quotes. */
const FLAG = (name: string): RegExp =>
  new RegExp(` --${name}(?:=| +)(?:'[^']*'|"[^"]*"|\\\\.|[^\\s'"\\\\])+`, 'g');

/**
 * Measures a workload again, several with commas between, or those of the run where it is empty, with one subject and the raw
 * filesystem beneath it, or with all that the run had.
 */
export function repeatCommand({ command }: Result, workloads: string, subject?: Subject): string {
  const line = command.replaceAll(/\s+/g, ' ').trim();
  const plain = workloads === '' ? line : line.replaceAll(FLAG('workloads'), '');
  const { kind = 'raw', driver = null, engine = '' } = subject ?? {};
  const isOne = kind !== 'raw' && driver !== null;
  // Another engine is measured beside ours only for a figure of its own.
  const base = isOne ? plain.replaceAll(FLAG('drivers'), '').replaceAll(FLAG('peer'), '') : plain;
  const drivers = isOne ? ` --drivers ${shellWord(driver)}` : '';
  const peer = kind === 'peer' && isOne ? ` --peer ${shellWord(engine)}` : '';
  return `${base}${drivers}${peer}${workloads === '' ? '' : ` --workloads ${shellWord(workloads)}`}`;
}

/** Measures again what is said of a topic. */
export function topicCommand(result: Result, { workloads }: Topic): string {
  const had = new Set(result.workloads.map(({ id }) => id));
  return repeatCommand(result, workloads.filter((id) => had.has(id)).join(','));
}

/** Measures again what a claim is judged by, with all drivers where the run left out one that it is about. */
export function claimCommand(result: Result, { workloads, lacks }: ClaimVerdict): string {
  const { command } = result;
  const wide = lacks.length === 0 ? command : command.replaceAll(FLAG('drivers'), '');
  return repeatCommand({ ...result, command: wide }, workloads.join(','));
}
