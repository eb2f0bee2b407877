/** The files of the program in the container. */
import { readdirSync, readFileSync } from 'node:fs';

// Replaced by scripts/build.ts with the program in one piece; it does not exist when the sources run.
declare const TSENGINE_BENCH_AGENT: string | undefined;

/** Its files by name, and which one starts it. */
export interface AgentFiles {
  readonly files: Readonly<Record<string, string>>;
  readonly main: string;
}

/** The program: of the bundle in one file, of the sources as they are, whose types Node strips. */
export function agentFiles(): AgentFiles {
  if (typeof TSENGINE_BENCH_AGENT !== 'undefined')
    return { files: { 'main.mjs': TSENGINE_BENCH_AGENT }, main: 'main.mjs' };
  const folder = new URL('../agent/', import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));
  return { files, main: 'main.ts' };
}
