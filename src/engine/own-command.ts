import { shellWord } from '../linux/command.ts';
import { DEFAULT_DATA_ROOT, execRootFor, type RootPaths } from './root.ts';

/**
 * How tsengine is called on a data root, as sh(1) reads it: what begins a command that a message suggests. Names the roots that
 * are not those taken unasked.
 */
export function programOn({ path, execRoot }: Pick<RootPaths, 'path' | 'execRoot'>): string {
  return [
    'tsengine',
    ...(path === DEFAULT_DATA_ROOT ? [] : ['--data-root', shellWord(path)]),
    ...(execRoot === execRootFor(path) ? [] : ['--exec-root', shellWord(execRoot)]),
  ].join(' ');
}
