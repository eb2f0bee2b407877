/** Runs one cell in this process: the driver's probe, then the conformance suite with its crash checks. */
import type { Subject } from '../../drivers/conformance/index.ts';
import type { DriverFactory, GraphDriver } from '../../drivers/driver.ts';
import { driverFactory } from '../../drivers/registry.ts';
import { errorMessage, firstError, hasErrno, LackingHereError, TsengineError } from '../../errors.ts';
import { type CheckOptions, runChecks } from '../checks.ts';
import { type MountedBacking, makeBacking, mountsBelow } from './backings.ts';
import type { CellName } from './cells.ts';
import { lackingAbilities } from './lacking.ts';
import type { Backing, Cell } from './schema.ts';
import { codeFolder } from './self.ts';
import { contextOn, makeSubject } from './subject.ts';

/** Where a driver that can be on several filesystems is at home. */
const COMMON: Backing = 'ext4';

/** Where a driver is at home: there the checks that take a second or two are run, of which there is little on the filesystem. */
function isAtHome({ onlyOn = COMMON }: DriverFactory, backing: Backing): boolean {
  return backing === onlyOn;
}

/** How a cell is run. */
export interface CellOptions {
  /** An empty folder of the cell's own; its path has no blanks, colons or commas. */
  readonly work: string;
  /** A folder for images of filesystems, under the path that it has for everybody. */
  readonly images: string;
  /** The slow checks as well. */
  readonly slow: boolean;
  /** Of the checks only those whose name it matches. */
  readonly only?: RegExp;
  /** Takes the log, line by line, while it is written. */
  log(line: string): void;
}

/** What a cell has come to, without its name, its log and its time. */
export type Outcome = Pick<Cell, 'status' | 'unavailableOf' | 'reasons' | 'tests'>;

const NO_TESTS: Cell['tests'] = { passed: 0, failed: 0, excused: 0 };

/** Makes the filesystem, runs the driver on it and takes it away again. Never throws: what goes wrong is the cell's result. */
export async function runCell(cell: CellName, options: CellOptions): Promise<Cell> {
  const started = performance.now();
  const lines: string[] = [];
  const log = (text: string): void => {
    const line = withoutPlaces(text, options);
    lines.push(line);
    options.log(line);
  };
  let outcome: Outcome;
  try {
    outcome = await onBacking(cell, options, log);
  } catch (error) {
    log(`not ok ${errorMessage(error)}`);
    log(stackOf(error));
    outcome = {
      status: 'failed',
      reasons: [errorMessage(error)],
      tests: { ...NO_TESTS, failed: 1 },
    };
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const reasons = outcome.reasons.map((reason) => withoutPlaces(reason, options));
  return { ...cell, ...outcome, reasons, seconds, log: lines.join('\n') };
}

/** Without the folders in which it happened: they are of no use to who reads it, and others in every run. */
function withoutPlaces(text: string, { work, images }: CellOptions): string {
  const checkout = codeFolder().replace(/[^/]+\/$/, '');
  return [images, work, checkout].reduce((rest, place) => rest.replaceAll(place, ''), text);
}

async function onBacking(
  cell: CellName,
  options: CellOptions,
  log: (line: string) => void,
): Promise<Outcome> {
  let backing: MountedBacking;
  try {
    backing = await makeBacking(cell.backing, options);
  } catch (error) {
    if (!hasErrno(error, 'Unavailable')) throw error;
    const reason = errorMessage(error);
    log(reason);
    return unavailable(reason, error instanceof LackingHereError ? 'lab' : 'kernel');
  }
  using mounted = backing;
  return await runOnBacking(cell, mounted, { ...options, log });
}

function unavailable(reason: string, unavailableOf: NonNullable<Cell['unavailableOf']>): Outcome {
  return { status: 'unavailable', unavailableOf, reasons: [reason], tests: NO_TESTS };
}

/** Runs the driver on a filesystem that is there; several may use one, each once. Throws what is neither the driver's word nor a check's failure. */
export async function runOnBacking(
  cell: CellName,
  { path, scratch }: MountedBacking,
  options: Omit<CellOptions, 'images'>,
): Promise<Outcome> {
  const { log } = options;
  const limits: string[] = [];
  const name = cell.driver;
  const context = contextOn(path, `${options.work}/run`, name, limits);
  const factory = await driverFactory(name);
  const refused = (reason: string, lacksProgram: boolean): Outcome => {
    log(`${lacksProgram ? 'not tried' : 'refused'}: ${reason}`);
    if (lacksProgram) return unavailable(reason, 'lab');
    return { status: 'refused', reasons: [reason], tests: NO_TESTS };
  };
  let subject: Subject;
  try {
    const support = await factory.probe(context);
    if (!support.supported) return refused(support.reason, support.lacksProgram === true);
    limits.push(...(support.notes ?? []));
    log('ok its probe says that it can serve here');
    subject = await makeSubject(context, name, scratch);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return refused(errorMessage(error).replaceAll(path, ''), firstError(error) instanceof LackingHereError);
  }
  for (const [label, value] of await subject.driver.status()) log(`# ${label}: ${value}`);
  const lacking = subject.driver.capabilities.ownFilesystems === true ? [] : lackingAbilities(path);
  const brief = !options.slow && !isAtHome(factory, cell.backing);
  if (brief) log('# without the checks that take long, which --full runs on every filesystem');
  const { slow, only } = options;
  const tests = await checkAll(subject, { slow, brief, lacking, ...(only && { only }) }, log);
  limits.push(...lacking.map(({ reason }) => reason));
  const left = await whatIsLeft(subject.driver, path);
  if (left !== undefined) {
    log(`not ok ${left}`);
    tests.failed.push(left);
  }
  return judge(tests, [...new Set(limits)]);
}

/** Whether an error of the probe or of opening is the driver's way to say no: a sentence of its own, or that nothing can be written. */
function isRefusal(error: unknown): boolean {
  return firstError(error) instanceof TsengineError || hasErrno(error, 'EROFS', 'EOPNOTSUPP');
}

interface Results {
  passed: number;
  excused: number;
  readonly failed: string[];
}

async function checkAll(
  subject: Subject,
  options: CheckOptions,
  log: (line: string) => void,
): Promise<Results> {
  const results: Results = { passed: 0, excused: 0, failed: [] };
  await runChecks(subject, options, ({ name, state, ms, reason = '', error }) => {
    if (state === 'excused') {
      results.excused++;
      log(`excused ${name}: ${reason}`);
    } else if (state === 'ok') {
      results.passed++;
      log(`ok ${name} (${ms} ms)`);
    } else {
      results.failed.push(`${name}: ${reason.slice(0, 300)}`);
      log(`not ok ${name}: ${reason.slice(0, 1000)}`);
      log(stackOf(error));
    }
  });
  return results;
}

/** The error's own lines, indented and cut, for whoever has to find out. */
function stackOf(error: unknown): string {
  const first = firstError(error);
  const text = first instanceof Error ? (first.stack ?? first.message) : String(first);
  const lines = text.split('\n').slice(0, 40);
  return lines.map((line) => `    ${line.slice(0, 300)}`).join('\n');
}

/** What a driver must not leave when it has cleaned up: mounts below its data root. */
async function whatIsLeft(driver: GraphDriver, path: string): Promise<string | undefined> {
  try {
    await driver.cleanup();
  } catch (error) {
    return `cleanup at the end: ${errorMessage(error)}`;
  }
  const left = mountsBelow(path).filter((point) => point !== path);
  return left.length === 0 ? undefined : `still mounted after cleanup: ${left.length} of its layers`;
}

function judge({ passed, excused, failed }: Results, limits: readonly string[]): Outcome {
  const tests = { passed, failed: failed.length, excused };
  if (failed.length > 0) return { status: 'failed', reasons: [...failed], tests };
  if (limits.length > 0) return { status: 'limited', reasons: [...limits], tests };
  return { status: 'works', reasons: [], tests };
}
