/** A program of the tests' as one text, to be given to `node -` in a machine of the lab. */
import { buildSync } from 'esbuild';

/** Where the code is in a machine; what the program loads at run time, koffi, is looked for from there. */
const THERE = 'file:///opt/tsengine/dist/test/program.js';

/** Bundles a program; `before` stands before its text. */
export function guestProgram(path: string, before = ''): string {
  const built = buildSync({
    entryPoints: [path],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    define: { 'import.meta.url': JSON.stringify(THERE), 'import.meta.dirname': '"/opt/tsengine/dist/test"' },
    external: ['koffi'],
    logLevel: 'error',
  });
  return `${before}\n${built.outputFiles[0]?.text ?? ''}`;
}

/** A text as a stream. */
export async function* onceText(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
