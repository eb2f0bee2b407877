/**
 * A thin pool that LVM makes on one block device, as Docker does it (`dm.directlvm_device`): volume group `docker`, pool
 * `thinpool` in it, whose device is `docker-thinpool`. `setup-config.json` in the driver's home says that it was made, in
 * Docker's words; it is written last. What fails is undone; a kill leaves a volume group on that device, which a second attempt
 * refuses and removes when it is forced, unless there may be layers in it.
 */
import { realpathSync } from 'node:fs';
import * as z from 'zod/mini';
import { LackingHereError, TsengineError } from '../../errors.ts';
import { blockDeviceSize } from '../../linux/block-device.ts';
import { findCommand, runCommand, runOrFail, shellWord } from '../../linux/command.ts';
import { targetOf } from '../../linux/device-mapper.ts';
import { makeDirectories, readTextIfAny, writeFileAtomic } from '../../linux/files.ts';
import { blockPart } from './block-part.ts';
import { mustBeUnheld } from './holders.ts';
import { LVM_CONFIG, LVM_POOL_DEVICE, type LvmSetup } from './options.ts';
import { parsePoolStatus } from './pool-format.ts';
import { contentOf } from './signature.ts';

const GROUP = 'docker';
const POOL = 'thinpool';
const META = 'thinpoolmeta';
const PROFILES = '/etc/lvm/profile';
const PROFILE = 'docker-thinpool';
const TOOLS = [
  ...([
    'vgs',
    'lvs',
    'pvcreate',
    'vgcreate',
    'lvcreate',
    'lvconvert',
    'lvchange',
    'vgremove',
    'pvremove',
  ] as const),
  'thin_check',
] as const;
type Tool = (typeof TOOLS)[number];

/** Docker's `directLVMConfig`. */
const CONFIG = z.object({
  Device: z.string(),
  ThinpPercent: z.int(),
  ThinpMetaPercent: z.int(),
  AutoExtendPercent: z.int(),
  AutoExtendThreshold: z.int(),
});

/**
 * Makes the pool if it was not made yet, whose device is `LVM_POOL_DEVICE`. Fails before anything is changed where it cannot.
 * `locked` runs its work with the set's lock held, of which the folder is there: what one has made, another who tries at once would
 * take for what a kill left.
 */
export async function setUpDirectLvm(
  home: string,
  setup: LvmSetup,
  locked: (work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  if (isMade(home, setup)) return;
  const tools = findTools();
  await mustBeFree(setup);
  await locked(async () => {
    if (isMade(home, setup)) return;
    await mustBeFree(setup);
    await clearGroup(setup, tools);
    await makeOrUndo(setup, tools);
    writeFileAtomic(configOf(home), JSON.stringify(wanted(setup)), { mode: 0o600 });
  });
}

function configOf(home: string): string {
  return `${home}/${LVM_CONFIG}`;
}

function wanted(setup: LvmSetup): z.infer<typeof CONFIG> {
  return {
    Device: setup.device,
    ThinpPercent: setup.dataPercent,
    ThinpMetaPercent: setup.metadataPercent,
    AutoExtendPercent: setup.autoextendPercent,
    AutoExtendThreshold: setup.autoextendThreshold,
  };
}

/** Whether the pool was made of just that. Fails where it was made of something else. */
function isMade(home: string, setup: LvmSetup): boolean {
  const path = configOf(home);
  const made = readConfig(path);
  if (made === undefined) return false;
  if (JSON.stringify(made) === JSON.stringify(wanted(setup))) return true;
  throw new TsengineError(
    'InvalidParameter',
    `devicemapper: changing direct-lvm config is not supported: ${path} says what the pool was made with`,
  );
}

function readConfig(path: string): z.infer<typeof CONFIG> | undefined {
  const text = readTextIfAny(path);
  if (text === undefined || text === '') return undefined;
  try {
    return CONFIG.parse(JSON.parse(text));
  } catch (error) {
    throw new TsengineError('Corrupt', `devicemapper: ${path} is damaged: put it back from a backup`, {
      cause: error,
    });
  }
}

function findTools(): (name: Tool) => string {
  const found = new Map(TOOLS.map((tool) => [tool, findCommand(tool)]));
  for (const [tool, path] of found) {
    if (path !== undefined) continue;
    const from = tool === 'thin_check' ? 'thin-provisioning-tools' : 'lvm2';
    throw new LackingHereError(
      `devicemapper: dm.directlvm_device needs ${tool}, which is missing: install the package ${from}`,
    );
  }
  return (name) => found.get(name) ?? name;
}

/** Fails where somebody has the device, and, unless it is forced, where there is something on it. */
export async function mustBeFree({ device, force }: Pick<LvmSetup, 'device' | 'force'>): Promise<void> {
  blockDeviceSize(device);
  mustBeUnheld(blockPart(device), (name) => force && isLeftover(name));
  const found = force ? undefined : await contentOf(device);
  if (found === undefined) return;
  // A member of an md array or a partitioned disk is none for LVM, forced or not.
  const erase = found === 'data' ? '' : `, or erase it (wipefs -a ${shellWord(device)})`;
  throw new TsengineError(
    'Conflict',
    `devicemapper: ${device} is not empty: use dm.directlvm_device_force=true if you want to wipe the device, which holds ${found}${erase}`,
  );
}

/** Whether a device is of a pool that an attempt left on the way. One that has something in it is somebody's. */
function isLeftover(name: string): boolean {
  return name.startsWith(LVM_POOL_DEVICE) && stateOfPool() !== 'used';
}

/** What the pool has in it; `unknown` where it is not active, or no pool yet. */
function stateOfPool(): 'unknown' | 'empty' | 'used' {
  const target = targetOf(LVM_POOL_DEVICE, 'status');
  if (target?.type !== 'thin-pool') return 'unknown';
  const status = parsePoolStatus(target);
  return status?.dataUsed === 0 && status.transaction === 0 ? 'empty' : 'used';
}

type FindTool = ReturnType<typeof findTools>;

/** Fails where there is a volume group of the pool's name already. One that an attempt left on the device goes, when that is forced. */
async function clearGroup({ device, force }: LvmSetup, tool: FindTool): Promise<void> {
  const listed = ['--noheadings', '--separator', '|', '-o', 'vg_name,pv_name'];
  const all = (await runOrFail(tool('vgs'), listed, 'devicemapper')).split('\n').map((line) => line.trim());
  const devices = all
    .filter((line) => line.startsWith(`${GROUP}|`))
    .map((line) => line.slice(GROUP.length + 1));
  if (devices.length === 0) return;
  if (force && devices.length === 1 && sameDevice(devices[0], device)) {
    await mustBeLeftover(device, tool);
    await runOrFail(tool('vgremove'), ['-f', '-y', GROUP], 'devicemapper');
    return;
  }
  throw new TsengineError(
    'Conflict',
    `devicemapper: dm.directlvm_device makes a volume group ${GROUP}, and there is one on ${devices.join(', ')}: if that is Docker's, use its pool with dm.thinpooldev=${GROUP}-${POOL}, else rename it with vgrename`,
  );
}

/** Fails where there may be layers in the group, or something else that no attempt has made. */
async function mustBeLeftover(device: string, tool: FindTool): Promise<void> {
  const listed = ['--noheadings', '--separator', '|', '-o', 'lv_name,segtype', GROUP];
  for (const line of (await runOrFail(tool('lvs'), listed, 'devicemapper')).split('\n')) {
    const [name = '', type] = line.trim().split('|');
    const why = name === '' ? undefined : whyKept(name, type);
    if (why === undefined) continue;
    throw new TsengineError(
      'Conflict',
      `devicemapper: dm.directlvm_device_force=true does not remove the volume group ${GROUP} on ${device}, ${why}: name another device, or, where nobody needs the group, remove it (vgremove ${GROUP}) first`,
    );
  }
}

function whyKept(name: string, type: string | undefined): string | undefined {
  // As `makePool` has them before the pool is one.
  if (type === 'linear' && (name === POOL || name === META)) return undefined;
  if (type !== 'thin-pool' || name !== POOL) return `which has the volume ${GROUP}/${name}`;
  const state = stateOfPool();
  if (state === 'empty') return undefined;
  const trouble = state === 'used' ? 'may have layers' : 'is not active and may have layers';
  return `whose pool ${GROUP}/${POOL} ${trouble} (to use it: vgchange -ay ${GROUP}, then dm.thinpooldev=${GROUP}-${POOL})`;
}

function sameDevice(one: string | undefined, other: string): boolean {
  try {
    return one !== undefined && realpathSync(one) === realpathSync(other);
  } catch {
    // LVM calls a device that is gone `[unknown]`.
    return false;
  }
}

/** Makes the pool, or leaves an empty device. */
async function makeOrUndo(setup: LvmSetup, tool: FindTool): Promise<void> {
  const undo: (readonly [Tool, ...string[]])[] = [];
  try {
    await makePool(setup, tool, undo);
  } catch (error) {
    for (const [name, ...args] of undo.reverse()) await runCommand(tool(name), args);
    throw error;
  }
}

async function makePool(
  setup: LvmSetup,
  tool: FindTool,
  undo: (readonly [Tool, ...string[]])[],
): Promise<void> {
  const data = setup.dataPercent || 95;
  const metadata = setup.metadataPercent || 1;
  const volume = (name: string, percent: number): string[] => [
    '--wipesignatures',
    'y',
    '-y',
    '-n',
    name,
    GROUP,
    '--extents',
    `${percent}%VG`,
  ];
  await runOrFail(tool('pvcreate'), ['-f', '-y', setup.device], 'devicemapper');
  undo.push(['pvremove', '-f', '-y', setup.device]);
  await runOrFail(tool('vgcreate'), [GROUP, setup.device], 'devicemapper');
  undo.push(['vgremove', '-f', '-y', GROUP]);
  await runOrFail(tool('lvcreate'), volume(POOL, data), 'devicemapper');
  await runOrFail(tool('lvcreate'), volume(META, metadata), 'devicemapper');
  // A full pool fails a write at once, as those of our own do.
  const convert = [
    '-y',
    '--zero',
    'n',
    '-c',
    '512K',
    '--errorwhenfull',
    'y',
    '--thinpool',
    `${GROUP}/${POOL}`,
  ];
  await runOrFail(tool('lvconvert'), [...convert, '--poolmetadata', `${GROUP}/${META}`], 'devicemapper');
  makeDirectories(PROFILES, 0o755);
  const [threshold, percent] = [setup.autoextendThreshold || 80, setup.autoextendPercent || 20];
  const profile = `activation{\nthin_pool_autoextend_threshold=${threshold}\nthin_pool_autoextend_percent=${percent}\n}`;
  writeFileAtomic(`${PROFILES}/${PROFILE}.profile`, profile, { mode: 0o600 });
  await runOrFail(tool('lvchange'), ['--metadataprofile', PROFILE, `${GROUP}/${POOL}`], 'devicemapper');
}
