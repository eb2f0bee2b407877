/** aufs, as the registry knows it. */
import { dirname } from 'node:path';
import { hasErrno, LackingHereError, TsengineError } from '../../errors.ts';
import { pathExists } from '../../linux/files.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { removexattr } from '../../linux/xattr.ts';
import { holdsLayers } from '../data.ts';
import type { DriverContext, DriverFactory, GraphDriver, Support } from '../driver.ts';
import { MountCounter } from '../mount-counter.ts';
import { existingFolder, onlyReading, refusalOfReadOnly } from '../read-only.ts';
import { Staging } from '../staging.ts';
import { openView, sweepViews } from '../view.ts';
import { AufsDriver, type AufsParts } from './driver.ts';
import { hasKernelAufs, isOddForAufs, kernelBackend } from './kernel.ts';
import { Layout } from './layout.ts';
import { type AufsOptions, findProgram, noProgram, readEngineOptions } from './options.ts';
import { isOddForProgram, programBackend } from './program.ts';
import type { UnionBackend } from './union.ts';

/** What Docker's aufs does not take as the filesystem of its branches. With either backend: a root goes from one to the other. */
const NOT_BELOW: ReadonlySet<string> = new Set(['aufs', 'btrfs', 'ecryptfs']);

/** Why there is none. */
interface NoBackend {
  readonly reason: string;
  /** See `Support`. */
  readonly lacksProgram?: boolean;
}

/** The backend that serves a data root, or why there is none. */
function chooseBackend(
  context: DriverContext,
  options: AufsOptions,
): { readonly backend: UnionBackend } | NoBackend {
  const folder = existingFolder(context.home);
  const found = fsName(statfs(folder).magic);
  if (NOT_BELOW.has(found)) {
    return {
      reason: `AUFS is not supported over ${found}, and ${folder} is on it: put the data root on ext4 or xfs`,
    };
  }
  const parts = { layout: new Layout(context.home), warn: (message: string) => context.warn(message) };
  if (options.program === undefined && hasKernelAufs()) {
    if (isOddForAufs(context.home)) return { reason: oddHome(context.home, 'AUFS', ', : = or \\') };
    return { backend: kernelBackend(parts, context.runHome) };
  }
  const program = findProgram(options);
  if (program === undefined) return { reason: noProgram(options), lacksProgram: true };
  if (!pathExists('/dev/fuse')) {
    return {
      reason: `this kernel has no AUFS, and ${program} needs /dev/fuse, which is not there: modprobe fuse`,
    };
  }
  // What is only read has no topmost branch.
  if (context.readOnly !== true && isOddForProgram(context.home))
    return { reason: oddHome(context.home, program, ':') };
  const flaw = context.readOnly === true ? undefined : flawBelow(folder, found);
  if (flaw !== undefined) {
    return {
      reason: `${program} ${flaw}, and ${folder} is on it: put the data root on ext4 or xfs`,
    };
  }
  return { backend: programBackend(parts, program) };
}

/** Said at once: Docker fails at the first mount. */
function oddHome(home: string, who: string, characters: string): string {
  return `aufs: ${who} parts paths at ${characters}, of which ${home} has one: choose another data root`;
}

/** What a FUSE program does wrong when it writes on a filesystem; `undefined` where it does nothing wrong. Changes nothing. */
function flawBelow(folder: string, filesystem: string): string | undefined {
  if (filesystem === 'fuse') return 'loses set-ID bits over fuse';
  if (filesystem === 'nfs') return 'cannot copy up extended attributes over nfs';
  try {
    // It notes in such an attribute where a file came from, by which its other names are found again.
    removexattr(folder, 'user.tsengine.none');
  } catch (error) {
    if (hasErrno(error, 'EOPNOTSUPP'))
      return `cannot keep the names of a file together on a ${filesystem} without extended attributes of user.*`;
    if (!hasErrno(error, 'EROFS')) throw error;
  }
  return undefined;
}

async function probe(context: DriverContext): Promise<Support> {
  const chosen = chooseBackend(context, readEngineOptions(context));
  if ('reason' in chosen) return { supported: false, ...chosen };
  const { title, isStandIn } = chosen.backend;
  const served: Support = isStandIn ? { supported: true, notes: [title] } : { supported: true, by: title };
  return refusalOfReadOnly(context.home) ?? served;
}

async function open(context: DriverContext): Promise<GraphDriver> {
  const chosen = chooseBackend(context, readEngineOptions(context));
  if ('reason' in chosen) {
    const { reason, lacksProgram = false } = chosen;
    throw lacksProgram ? new LackingHereError(reason) : new TsengineError('Unavailable', reason);
  }
  const layout = new Layout(context.home);
  const staging = new Staging(context.home);
  const parts = { context, layout, staging, backend: chosen.backend };
  if (context.readOnly === true) return onlyReading(new ReadOnlyAufs(parts), context.home);
  layout.make(dirname(context.home));
  staging.sweep(
    (path) => layout.discard(path),
    (message) => context.warn(message),
  );
  new MountCounter(context.runHome).sweep();
  sweepViews(context.runHome);
  return new AufsDriver(parts);
}

/** `get` gives a view, which is gone when whoever has it closes it, or dies: there is nothing to count or to clean up. */
class ReadOnlyAufs extends AufsDriver {
  readonly #parts: AufsParts;

  constructor(parts: AufsParts) {
    super(parts);
    this.#parts = parts;
  }

  override async get(id: string): ReturnType<AufsDriver['get']> {
    const { layout, backend, context } = this.#parts;
    const parents = layout.parents(id);
    if (parents.length === 0) return { path: layout.diff(id), [Symbol.asyncDispose]: async () => {} };
    return await openView(context.runHome, (target) =>
      backend.mount({ target, id, parents, isReadOnly: true }),
    );
  }

  override async put(): Promise<void> {}
}

/** Docker's aufs: layers as branches of a union, by the kernel's AUFS or by a FUSE program that keeps its format. */
export const aufsFactory: DriverFactory = {
  name: 'aufs',
  probe,
  hasData: (home) => holdsLayers('aufs', home),
  open,
};
