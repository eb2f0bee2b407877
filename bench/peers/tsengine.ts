/** tsengine as a peer: the bundle through bin/tsengine, as people have it. */
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit, unmountBelow } from '../../test/helpers/loop.ts';
import type { PeerParts } from './peer.ts';
import { processesOf } from './processes.ts';

/** The launcher of the tsengine that is measured. */
export const launcher = install();

/**
 * A copy of launcher and bundle, as an installation has them, with a compile cache of its own: what is measured stays the
 * same while somebody edits or builds in the checkout.
 */
function install(): string {
  const root = resolve(import.meta.dirname, '../..');
  const folder = mkdtempSync(`${tmpdir()}/tsengine-measured-`);
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['bin', 'dist', 'package.json'])
    cpSync(`${root}/${name}`, `${folder}/${name}`, { recursive: true, preserveTimestamps: true });
  symlinkSync(`${root}/node_modules`, `${folder}/node_modules`);
  return `${folder}/bin/tsengine`;
}

/** How it is set up. */
export interface TsengineOptions {
  /** Whether a layer's data is on disk before the layer counts, which Docker does not care for. */
  readonly syncLayers: boolean;
  readonly storageDriver?: string;
  /** What its series are called. */
  readonly name?: string;
}

/** How long what a command leaves working in the background may take. */
const patience = 10_000;

/** Sets up tsengine with a data root on `disk`. */
export async function openTsengine(disk: string, options: TsengineOptions): Promise<PeerParts> {
  const execRoot = mkdtempSync('/run/tsengine-bench-');
  const dataRoot = `${disk}/tsengine`;
  const config = `${execRoot}.json`;
  writeFileSync(config, JSON.stringify({ 'sync-layers': options.syncLayers }));
  const roots = ['--data-root', dataRoot, '--exec-root', execRoot];
  const driver = options.storageDriver ?? 'overlay2';
  const close = atExit(() => {
    unmountBelow(execRoot);
    rmSync(execRoot, { recursive: true, force: true });
    rmSync(config, { force: true });
  });
  return {
    name: options.name ?? 'tsengine',
    command: [launcher, '--config-file', config, '--storage-driver', driver, ...roots],
    env: process.env,
    dataRoot,
    quiet: async () => {
      for (let waited = 0; processesOf(dataRoot).length > 0 && waited < patience; waited += 20)
        await sleep(20);
    },
    [Symbol.asyncDispose]: async () => close(),
  };
}
