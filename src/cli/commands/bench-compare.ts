import type { Command } from 'commander';
import { writeOutNow } from '../output.ts';

const ABOUT = `Says what has become slower and what faster from A to B. A regression is a figure whose
interval lies beyond 5 %, by more than chance finds among all that are compared. Results
of one virtual machine each are compared whatever their kernels are. Of two machines
drivers are compared by their ratio to the raw filesystem, and that is said.

Exit code: 1 on a regression; 125 when there is nothing to tell; else 0.

Examples:
  tsengine bench compare before/result.json after/result.json
  tsengine bench compare --json old.json new.json > comparison.json`;

/** `tsengine bench compare`: what changed between two results; for CI of kernels and filesystems. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS] A.json B.json')
    .description(ABOUT)
    .argument('<before>')
    .argument('<after>')
    .option('--json', 'Every figure, for programs')
    .action(async (before: string, after: string, flags: { readonly json?: boolean }) => {
      const { readResult } = await import('../../../bench/suite/result-file.ts');
      const { compareResults } = await import('../../../bench/suite/compare/compare.ts');
      const { comparisonJson, comparisonText } = await import('../../../bench/suite/compare/compare-text.ts');
      const comparison = compareResults(readResult(before), readResult(after), [before, after]);
      writeOutNow(1, flags.json === true ? comparisonJson(comparison) : comparisonText(comparison));
      if (comparison.regressions > 0) process.exitCode = 1;
    });
}
