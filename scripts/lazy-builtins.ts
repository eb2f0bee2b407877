/**
 * An esbuild plugin that makes Node's own modules cheap to import. `import fs from 'node:fs'` makes Node build an ES
 * module out of fs, and reading every export for that loads what hangs behind each getter: 3 ms for fs, 3 for util,
 * 6 for process. In the bundle those imports become `process.getBuiltinModule`, and modules that Node has not loaded by
 * itself at its start are loaded when the first member is used.
 */
import { isBuiltin } from 'node:module';
import type { Plugin } from 'esbuild';

/** Modules that a running Node always has loaded (process.moduleLoadList), so that taking them costs nothing. */
const loadedAtStart = new Set([
  'buffer',
  'events',
  'fs',
  'module',
  'path',
  'process',
  'timers',
  'url',
  'util',
]);

/** See the top of this file. */
export const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup(build) {
    build.onResolve({ filter: /^[a-z_/:0-9]+$/ }, ({ path, kind }) => {
      if (!isBuiltin(path)) return undefined;
      // `await import('node:zlib')` is late already.
      if (kind === 'dynamic-import') return { path, external: true };
      return { path: path.replace(/^node:/, ''), namespace: 'builtin' };
    });
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: moduleFor(path),
      loader: 'js',
    }));
  },
};

/** The text that stands for the module `name` in the bundle. */
function moduleFor(name: string): string {
  const load = `process.getBuiltinModule(${JSON.stringify(`node:${name}`)})`;
  const members = Object.keys(process.getBuiltinModule(`node:${name}`) ?? {}).filter(
    (key) => key !== 'default',
  );
  if (loadedAtStart.has(name)) {
    // An ES module of constants; those that nothing imports are marked so that esbuild leaves them out.
    const constants = members.map((key) => `export const ${key} = /* @__PURE__ */ (() => builtin.${key})();`);
    return `const builtin = ${load};\nexport default builtin;\n${constants.join('\n')}`;
  }
  // CommonJS: esbuild turns `import { x }` of it into a property access at each use.
  const getters = members.map((key) => `get ${key}() { return builtin().${key}; }`);
  return `let loaded; const builtin = () => (loaded ??= ${load});\nmodule.exports = { ${getters.join(', ')} };`;
}
