/** A kernel's modules: which there are, and in what order they load. Source: depmod(8), modules.dep(5). */
import { join } from 'node:path';
import { readTextIfAny } from '../linux/files.ts';

/** What `modules.dep` and `modules.builtin` of a kernel say. */
export interface ModuleTable {
  /** By name: the module's file below the kernel's folder, and the files that it needs. */
  readonly files: ReadonlyMap<string, { readonly path: string; readonly needs: readonly string[] }>;
  readonly builtIn: ReadonlySet<string>;
}

/** A module's name: of its file without folders and endings, with `_` where the file has `-`. */
export function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.(xz|zst|gz))?$/, '')
    .replaceAll('-', '_');
}

/** Reads the two files' texts. */
export function parseModules(dep: string, builtin: string): ModuleTable {
  const files = new Map<string, { path: string; needs: readonly string[] }>();
  for (const line of dep.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const path = line.slice(0, colon);
    const needs = line
      .slice(colon + 1)
      .split(' ')
      .filter((file) => file !== '');
    files.set(moduleName(path), { path, needs });
  }
  const builtIn = new Set(
    builtin
      .split('\n')
      .filter((line) => line !== '')
      .map(moduleName),
  );
  return { files, builtIn };
}

/** The modules of a kernel in a folder that depmod has been over. */
export function readModules(folder: string): ModuleTable {
  return parseModules(
    readTextIfAny(join(folder, 'modules.dep')) ?? '',
    readTextIfAny(join(folder, 'modules.builtin')) ?? '',
  );
}

/** Which of `names` the kernel has neither as a module nor built in. */
export function missingModules(names: readonly string[], table: ModuleTable): readonly string[] {
  return names.filter((name) => !table.files.has(name) && !table.builtIn.has(name));
}

/** The files of `names` and of all that they need, each after what it needs itself. What is built in or absent has none. */
export function loadOrder(names: readonly string[], table: ModuleTable): readonly string[] {
  const ordered = new Set<string>();
  const visit = (name: string, above: readonly string[]): void => {
    const module = table.files.get(name);
    if (module === undefined || ordered.has(module.path) || above.includes(name)) return;
    for (const need of module.needs) visit(moduleName(need), [...above, name]);
    ordered.add(module.path);
  };
  for (const name of names) visit(name, []);
  return [...ordered];
}
