import { createRequire } from 'node:module';
import { type Loaded, loadCompiled } from './code-cache.ts';
import type * as Program from './program.ts';
import { versionDocument, versionLine, versionText } from './version-text.ts';

/*
 * The first file of every command. It answers the two questions about the version itself, in a millisecond, and loads
 * the rest only for the rest: commander alone would cost 7 ms.
 */

// Replaced by scripts/build.ts with a hash of the bundle's program.js; it does not exist when the sources run.
declare const TSENGINE_PROGRAM_ID: string | undefined;

// Set by bin/tsengine for this process and its code only; programs that we start must not use our cache.
delete process.env.NODE_COMPILE_CACHE;

const args = process.argv.slice(2);
const [only] = args;

if (args.length === 1 && only === 'version') {
  print(versionText(versionDocument()));
} else if (args.length === 1 && (only === '--version' || only === '-v')) {
  print(versionLine());
} else {
  void runProgram();
}

async function runProgram(): Promise<void> {
  const { exports: program, keep } = await load();
  await program.main(args);
  if ((process.exitCode ?? 0) === 0) keep();
  program.endProcess();
}

/** The program with what is kept of it compiled; the sources are Node's to compile. */
async function load(): Promise<Loaded<typeof Program>> {
  if (typeof TSENGINE_PROGRAM_ID === 'undefined')
    return { exports: await import('./program.ts'), keep: () => undefined };
  const require = createRequire(import.meta.url);
  return loadCompiled(require.resolve('./program.js'), TSENGINE_PROGRAM_ID, args, require);
}

/** Writes without `process.stdout`, which costs 3 ms to set up. */
function print(text: string): void {
  try {
    process.getBuiltinModule('node:fs').writeSync(1, text);
  } catch (error) {
    void import('./program.ts').then(({ reportUnwritten }) => {
      process.exitCode = reportUnwritten(error);
    });
  }
}
