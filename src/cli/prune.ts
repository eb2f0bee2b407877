/** What the `prune` commands share: the question before, the lines after. */
import type { Filters, ImageDeleteItem } from '../engine/api/services.ts';
import { humanSize } from './format/units.ts';
import { writeOut } from './output.ts';
import { readStandardInput } from './streams.ts';

/** The flags that all `prune` commands have. */
export interface PruneFlags {
  readonly force?: boolean;
  readonly filter: readonly string[];
}

/** The flag as help shows it, for messages about its value. */
export const FILTER_FLAG = '--filter';

/** The first line of standard input, without its end; empty when there is none. */
async function readLine(): Promise<string> {
  let text = '';
  for await (const chunk of readStandardInput()) {
    text += chunk.toString();
    if (text.includes('\n')) break;
  }
  return text.split('\n', 1)[0] ?? '';
}

/** Shows `warning` and asks whether to go on. Only `y` or `Y` means yes, as in Docker. */
export async function confirm(warning: string): Promise<boolean> {
  await writeOut(1, `${warning}\nAre you sure you want to continue? [y/N] `);
  const answer = await readLine();
  return answer.replace(/\r$/, '').toLowerCase() === 'y';
}

/** Ids of containers under their heading; nothing when there are none. */
export function deletedContainers(ids: readonly string[]): string {
  return ids.length === 0 ? '' : `Deleted Containers:\n${ids.map((id) => `${id}\n`).join('')}\n`;
}

/** What became of images under their heading; nothing when nothing did. */
export function deletedImages(items: readonly ImageDeleteItem[]): string {
  const lines = items.map((item) =>
    'Untagged' in item ? `untagged: ${item.Untagged}\n` : `deleted: ${item.Deleted}\n`,
  );
  return lines.length === 0 ? '' : `Deleted Images:\n${lines.join('')}\n`;
}

/** The last line. */
export function reclaimed(bytes: number): string {
  return `Total reclaimed space: ${humanSize(bytes)}\n`;
}

/** The filters for images, with what `-a` means to the engine. */
export function imageFilters(filters: Filters, all: boolean): Filters {
  return new Map([...filters, ['dangling', [...(filters.get('dangling') ?? []), String(!all)]]]);
}
