import { after, before, describe, test } from 'node:test';
import { CHECKS, type Check, type Subject } from '../../src/drivers/conformance/index.ts';
import { FULL } from './scope.ts';

/** Which checks to run: `quick` is those that are `brief` and those that are `lengthy`. */
export type Selection = 'brief' | 'lengthy' | 'quick' | 'slow';

/** Checks of which every run has a part: 128 layers, kills at every seventh or seventeenth call and in `get`, faults of `create`, the first of the histories. */
const IN_FULL_RUNS =
  /^killed in (apply|create|remove|put) at every system call$|^(apply|get|remove) for which the disk is full|^\d{3} more random|stands on 127 layers/;

function isSelected({ slow = false, lengthy = false }: Check, selection: Selection): boolean {
  if (slow || selection === 'slow') return slow && selection === 'slow';
  return selection === 'quick' || lengthy === (selection === 'lengthy');
}

/** Runs the checks of the suite, each as a test, on one subject that `make` gives. */
export function conformance(name: string, selection: Selection, make: () => Promise<Subject>): void {
  describe(`${name} keeps the promises of driver.ts (${selection})`, () => {
    let subject: Subject | undefined;
    before(async () => {
      subject = await make();
    });
    after(async () => {
      await subject?.[Symbol.asyncDispose]();
    });
    for (const check of CHECKS) {
      if (!isSelected(check, selection)) continue;
      if (!FULL && IN_FULL_RUNS.test(check.name)) continue;
      test(check.name, async (t) => {
        if (subject === undefined) throw new Error('no subject');
        const excuse = check.excused?.(subject.driver.capabilities);
        if (excuse !== undefined) return t.skip(excuse);
        await check.run(subject);
      });
    }
  });
}
