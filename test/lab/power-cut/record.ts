/**
 * Runs in the machine, from standard input: works on a data root while the device below it is logged, and leaves in
 * `/results` the log and what the root held after each step. A step's mark is written when its command has ended.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { recount } from '../../helpers/recount.ts';
import { openBlockLog } from './block-log.ts';
import type { RecordingTask } from './cut-task.ts';
import { takeDown } from './devicemapper-pool.ts';
import { lookByEngine } from './engine-look.ts';
import { type Look, look } from './look.ts';
import { steps } from './steps.ts';

/** What is to be recorded. The test sets it before this program's text. */
declare const TASK: RecordingTask;

const [DEVICE, LOG] = ['/dev/lab/disk1', '/dev/lab/disk2'];
const ROOT = '/mnt/cut';
const EXEC = '/run/cut';
const ARCHIVES = '/run/archives';

function sh(...words: readonly string[]): void {
  const [program = '', ...args] = words;
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A mark is one word. */
const mark = (text: string): void => sh('dmsetup', 'message', 'cut', '0', 'mark', text.replaceAll(' ', '_'));

function tsengine(words: readonly string[]): void {
  const roots = ['--data-root', `${ROOT}/data`, '--exec-root', EXEC, '--storage-driver', TASK.driver];
  const options = TASK.options.flatMap((option) => ['--storage-opt', option]);
  const { status, stderr } = spawnSync('tsengine', [...roots, ...options, ...words], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tsengine ${words.join(' ')}: ${status}: ${stderr}`);
}

const MKFS: Readonly<Record<typeof TASK.filesystem, readonly string[]>> = {
  // A journal that the whole recording fits into.
  ext4: ['-q', '-J', 'size=64', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1'],
  xfs: ['-q', '-K'],
  btrfs: ['-q', '-K'],
};

mkdirSync(ARCHIVES, { recursive: true });
for (const [name, content] of Object.entries(TASK.archives)) {
  writeFileSync(`${ARCHIVES}/${name}`, Buffer.from(content, 'base64'));
}
for (const module of ['dm-log-writes', TASK.filesystem]) sh('modprobe', module);
const sectors = execFileSync('blockdev', ['--getsz', DEVICE], { encoding: 'utf8' }).trim();
sh('dmsetup', 'create', 'cut', '--noudevsync', '--table', `0 ${sectors} log-writes ${DEVICE} ${LOG}`);
// Without udev nobody else makes the node.
sh('dmsetup', 'mknodes', 'cut');
sh(`mkfs.${TASK.filesystem}`, ...MKFS[TASK.filesystem], '/dev/mapper/cut');
mkdirSync(ROOT, { recursive: true });
sh('mount', '-t', TASK.filesystem, '/dev/mapper/cut', ROOT);
tsengine(['info']);
execFileSync('sync');

const looks: Look[] = [];
const note = async (name: string): Promise<void> => {
  looks.push(await lookHere());
  mark(`${looks.length - 1} ${name}`);
};
/** What is in layers of devicemapper only its driver can show. */
async function lookHere(): Promise<Look> {
  if (TASK.driver === 'devicemapper') return await lookByEngine(`${ROOT}/data`, EXEC, TASK);
  const counted = recount(`${ROOT}/data`, EXEC, TASK.driver);
  if (counted.problems.length > 0) throw new Error(counted.problems.join('; '));
  return look(counted, `${ROOT}/data`, TASK.driver);
}

async function work(): Promise<void> {
  await note('begin');
  for (const { name, words } of steps(ARCHIVES)) {
    tsengine(words);
    await note(name);
  }
  if (TASK.driver === 'devicemapper') takeDown(`${ROOT}/data`);
  sh('umount', ROOT);
  sh('dmsetup', 'remove', '--noudevsync', 'cut');
}

/** Ends the recording. */
export const recorded: Promise<readonly Look[]> = work().then(() => looks);

/** Brings it to where the caller of the machine finds it. */
async function bring(): Promise<void> {
  writeFileSync('/results/looks.json', JSON.stringify(await recorded));
  using log = openBlockLog(LOG);
  execFileSync('sh', ['-c', `head -c ${log.length} ${LOG} | gzip -1 >/results/log.gz`]);
}
// A failure ends the program.
if (TASK.driver !== 'devicemapper') void bring();
