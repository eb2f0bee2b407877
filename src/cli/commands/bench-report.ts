import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import { parseFlag } from '../flags/flag-error.ts';
import { named } from '../lab-flags.ts';
import { writeOutNow } from '../output.ts';

const ABOUT = `Writes report.md, report.html and charts/*.png beside the result, or into --out, and says
what to choose for what. The page needs nothing else: open it, print it, send it on.

Examples:
  tsengine bench report bench/result.json
  tsengine bench report --out report result.json
  tsengine bench report --thin --out docs/bench bench/result.json`;

/** `tsengine bench report`: a result as a page, as Markdown and as charts. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS] RESULT.json')
    .description(ABOUT)
    .argument('<result>')
    .option('--out <path>', "Folder for the report (default the result's)")
    .option('--thin', 'Write result.json into --out as well, without its samples: small, for a repository')
    .action(async (path: string, flags: { readonly out?: string; readonly thin?: boolean }) => {
      const out =
        flags.out === undefined
          ? dirname(path)
          : parseFlag('--out', flags.out, named('it must name a folder'));
      const { readResult, writeResult } = await import('../../../bench/suite/result-file.ts');
      const { isThinned, thinResult } = await import('../../../bench/suite/report/thin.ts');
      const { reportOf } = await import('../../../bench/suite/report/report.ts');
      const { writeReportOf } = await import('../../../bench/suite/report/write-report.ts');
      const { summaryText, writtenText } = await import('../../../bench/suite/report/summary.ts');
      const result = readResult(path);
      const report = reportOf(flags.thin === true ? thinResult(result) : result);
      const target = `${out}/result.json`;
      if (flags.thin === true && existsSync(target) && !isThinned(readResult(target)))
        throw new TsengineError(
          'Conflict',
          `${target} has its samples, which --thin would take away: name another folder with --out`,
        );
      const files = flags.thin === true ? [writeResult(report.result, out)] : [];
      const paths = await writeReportOf(report, out, (line) => writeOutNow(2, `tsengine: ${line}\n`));
      writeOutNow(1, `${summaryText(report)}${writtenText([...files, ...paths])}`);
    });
}
