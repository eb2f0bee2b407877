/** Which modules a kernel can do without for a machine's sake: not those that machines start from, and none that it has not. */
import { TsengineError } from '../errors.ts';
import { helpfulModules, neededModules } from './guest-init.ts';
import { loadOrder, type ModuleTable, moduleName } from './modules.ts';

/** Fails with `InvalidParameter` on what is no name of a module, and on one without which no kernel gets to the command. */
export function mustBeWithholdable(names: readonly string[]): void {
  for (const name of names) {
    if (!/^[A-Za-z0-9_-]+$/.test(name))
      throw new TsengineError('InvalidParameter', `${name} is no name of a module`);
    if (neededModules.includes(moduleName(name))) throw cannot(name, NEEDED);
  }
}

const NEEDED = "the lab's machines start with it";

/** What of the names is withheld, and what each of the others is not withheld for, in one line. */
export interface Withheld {
  /** As the kernel compares them. */
  readonly names: readonly string[];
  readonly others: readonly TsengineError[];
}

/** Sorts names by what this kernel's table says. One that came without modules tells nothing, and is asked for all of them. */
export function sortWithheld(names: readonly string[], table: ModuleTable): Withheld {
  const order = loadOrder([...helpfulModules, ...neededModules], table);
  const first = new Set(order.map(moduleName));
  const isUnknown = table.files.size + table.builtIn.size === 0;
  const others: TsengineError[] = [];
  const withheld = new Set<string>();
  for (const given of names) {
    const name = moduleName(given);
    if (first.has(name)) others.push(cannot(given, NEEDED));
    else if (table.files.has(name) || isUnknown) withheld.add(name);
    else if (table.builtIn.has(name)) others.push(cannot(given, 'this kernel has it built in'));
    else others.push(cannot(given, 'this kernel has no such module'));
  }
  return { names: [...withheld], others };
}

function cannot(name: string, why: string): TsengineError {
  return new TsengineError('InvalidParameter', `the module ${name} cannot be withheld: ${why}`);
}
