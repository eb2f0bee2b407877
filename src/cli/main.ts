import { versionDocument, versionLine, versionText } from './version-text.ts';

/*
 * The first file of every command. It answers the two questions about the version itself, in a millisecond, and loads
 * the rest only for the rest: commander alone would cost 7 ms.
 */

// Set by bin/tsengine for this process and its code only; programs that we start must not use our cache.
delete process.env.NODE_COMPILE_CACHE;

const args = process.argv.slice(2);
const [only] = args;

if (args.length === 1 && only === 'version') {
  print(versionText(versionDocument()));
} else if (args.length === 1 && (only === '--version' || only === '-v')) {
  print(versionLine());
} else {
  void import('./program.ts').then(async ({ main, endProcess }) => {
    await main(args);
    endProcess();
  });
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
