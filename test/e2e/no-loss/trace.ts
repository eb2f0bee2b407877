/** What a command asks the kernel to write and to sync, in order, as strace sees it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { testBundle } from '../../helpers/bundle.ts';
import { runProgram, type Stage } from './stage.ts';

/** Calls that make what is on disk another; `open` and `openat` when they make or cut a file. */
const CHANGES = [
  'open,openat,write,pwrite64,writev,pwritev,copy_file_range,sendfile,fallocate,ftruncate,truncate,ioctl',
  'mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat,rename,renameat,renameat2',
  'chown,lchown,fchown,fchownat,chmod,fchmod,fchmodat,utimensat,setxattr,lsetxattr,fsetxattr,lremovexattr',
  'unlink,unlinkat,rmdir',
].join(',');
const SYNCS = 'fsync,fdatasync,syncfs';

/** One call that succeeded. */
export interface TracedCall {
  readonly name: string;
  /** As strace writes it, with the paths of descriptors, without thread and time. */
  readonly text: string;
  /** When it began and when it ended, in lines of the trace: another thread's may have come between. */
  readonly began: number;
  readonly ended: number;
}

function parse(trace: string): TracedCall[] {
  const open = new Map<string, { readonly text: string; readonly began: number }>();
  const calls: TracedCall[] = [];
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const [, beginning] = /^(.*) <unfinished \.\.\.>$/.exec(rest) ?? [];
    if (beginning !== undefined) {
      open.set(thread, { text: beginning, began: at });
      continue;
    }
    const [, ending] = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest) ?? [];
    const first = ending === undefined ? undefined : open.get(thread);
    const text = `${first?.text ?? ''}${ending ?? rest}`;
    const [, name] = /^(\w+)\(.*\) += \d/.exec(text) ?? [];
    if (name !== undefined) calls.push({ name, text, began: first?.began ?? at, ended: at });
  }
  return calls;
}

const isChange = ({ name, text }: TracedCall): boolean =>
  !SYNCS.split(',').includes(name) &&
  (!/^open(?:at)?$/.test(name) || /O_CREAT|O_TRUNC/.test(text)) &&
  (name !== 'ioctl' || text.includes('FICLONE'));

/** Runs a command that must succeed. Gives its changes and syncs, in the order of their ends. */
export async function trace(stage: Stage, words: readonly string[]): Promise<TracedCall[]> {
  const file = `${stage.base}/trace`;
  // Only what is asked for stops the process: the rest runs at its own speed.
  const strace = ['strace', '-f', '-y', '--seccomp-bpf', '-e', `trace=${CHANGES},${SYNCS}`, '-o', file];
  const { code, stderr } = await runProgram([...strace, ...testBundle().command, ...stage.globals, ...words]);
  assert.equal(code, 0, stderr);
  return parse(readFileSync(file, 'utf8')).filter(
    (call) => SYNCS.split(',').includes(call.name) || isChange(call),
  );
}

/** Asserts that calls of these kinds come, in this order, each after the one before. */
export function inOrder(calls: readonly TracedCall[], ...kinds: readonly RegExp[]): void {
  let at = -1;
  for (const kind of kinds) {
    const next = calls.findIndex(({ text }, index) => index > at && kind.test(text));
    assert.ok(next > at, `${kind} after call ${at}:\n${calls.map(({ text }) => text).join('\n')}`);
    at = next;
  }
}

/** The call that gives a layer its name, with the id that it has below the driver's folder. */
const NAMING = /^rename.*layerdb\/tmp\/tsengine-([0-9a-f]+)-\d+", .*layerdb\/sha256\//;

/**
 * Asserts that each layer was on disk, with all that is said of it, before it had its name: the last syncfs before that
 * rename began after everything was written below the driver's folder and in the write-set.
 */
export function layersAreSynced(calls: readonly TracedCall[], driver: string, layers: number): void {
  const named = calls.filter(({ text }) => NAMING.test(text));
  assert.equal(named.length, layers, 'layers that got their names');
  const ofLayers = new RegExp(`/data/${driver}[/>]|/layerdb/tmp/tsengine-`);
  const written = calls.filter(
    (call) => isChange(call) && ofLayers.test(call.text) && !NAMING.test(call.text),
  );
  for (const { began } of named) {
    const sync = calls.findLast(({ name, ended }) => name === 'syncfs' && ended < began);
    assert.ok(sync !== undefined, 'there is a sync before a layer has its name');
    const before = written.filter(({ ended }) => ended < sync.began);
    assert.ok(before.length > 10, `only ${before.length} writes before the sync`);
    const late = written.filter((call) => call.ended > sync.began && call.began < began);
    assert.deepEqual(
      late.map(({ text }) => text),
      [],
      'written after the last sync had begun',
    );
  }
  // Nor is anything written into a layer that has its name. The locks beside it are no part of it.
  const ids = named.map(({ text }) => NAMING.exec(text)?.[1] ?? '');
  const last = Math.max(...named.map(({ ended }) => ended));
  const isInto = (text: string, id: string) => ids.every((one) => text.includes(one) === (one === id));
  const after = written.filter(
    ({ began, text, name }) =>
      !/^(?:unlink|rmdir)/.test(name) &&
      !text.includes('.tsengine/lock"') &&
      (began > last || named.some(({ ended }, index) => began > ended && isInto(text, ids[index] ?? ''))),
  );
  assert.deepEqual(
    after.map(({ text }) => text),
    [],
    'written after the layer had its name',
  );
}
