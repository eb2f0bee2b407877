/** The page of what is right to differ from Docker, which tests hold their exceptions against. */
import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8');

/** Whether docs/differences.md says this, word for word. */
export function isListed(words: string): boolean {
  return page.includes(words);
}
