/** tsengine itself as an engine: the same Node and the same code as runs here. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { isBundle, selfCommand } from '../../../src/lab/matrix/self.ts';
import { buildInfo } from '../../../src/version.ts';
import { untilIdle } from '../../peers/processes.ts';
import { CGROUPS } from './cgroups.ts';
import type { Engine } from './engine.ts';

/** Where and on what. */
export interface TsengineOptions {
  readonly driver: string;
  readonly dataRoot: string;
  /** A folder on a tmpfs for its exec root, of its own. */
  readonly work: string;
  readonly storageOptions: readonly string[];
  /** What else its configuration file holds. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The words that start it: what runs here where not given. */
  readonly program?: readonly [string, ...string[]];
}

/** Gives it; nothing is started. The machine's configuration file has no part in it. */
export function openTsengine(options: TsengineOptions): Engine {
  const { driver, dataRoot, work, storageOptions } = options;
  mkdirSync(work, { recursive: true });
  const config = `${work}/daemon.json`;
  writeFileSync(config, JSON.stringify({ 'exec-opts': [CGROUPS], ...options.config }));
  const [program = '', ...before] = options.program ?? selfCommand();
  const { version, gitCommit } = buildInfo();
  return {
    name: 'tsengine',
    command: {
      words: [
        program,
        ...[...before, '--config-file', config, '--data-root', dataRoot],
        ...['--exec-root', `${work}/run`, '--storage-driver', driver],
        ...storageOptions.flatMap((option) => ['--storage-opt', option]),
      ],
      env: process.env,
    },
    // Its commands take several times as long from their sources.
    version: `${gitCommit === '' ? version : `${version} (${gitCommit})`}${isBundle() || options.program !== undefined ? '' : ', from its sources'}`,
    quiet: () => untilIdle(dataRoot),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
