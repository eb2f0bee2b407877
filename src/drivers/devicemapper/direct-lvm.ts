/**
 * A thin pool that LVM makes on one block device, as Docker does it (`dm.directlvm_device`): volume group `docker`, pool
 * `thinpool` in it, whose device is `docker-thinpool`. `setup-config.json` in the driver's home says that it was made, in
 * Docker's words; it is written last. What fails is undone; a kill leaves a volume group on that device, which a second attempt
 * refuses and removes when it is forced.
 */
import { realpathSync } from 'node:fs';
import * as z from 'zod/mini';
import { LackingHereError, TsengineError } from '../../errors.ts';
import { blockDeviceSize } from '../../linux/block-device.ts';
import { findCommand, runCommand, runOrFail } from '../../linux/command.ts';
import { targetOf } from '../../linux/device-mapper.ts';
import { makeDirectories, readTextIfAny, writeFileAtomic } from '../../linux/files.ts';
import { blockPart } from './block-part.ts';
import { mustBeUnheld } from './holders.ts';
import { LVM_POOL_DEVICE, type LvmSetup } from './options.ts';
import { parsePoolStatus } from './pool-format.ts';
import { isBlank } from './signature.ts';

const GROUP = 'docker';
const POOL = 'thinpool';
const PROFILES = '/etc/lvm/profile';
const PROFILE = 'docker-thinpool';
const TOOLS = [
  ...(['vgs', 'pvcreate', 'vgcreate', 'lvcreate', 'lvconvert', 'lvchange', 'vgremove', 'pvremove'] as const),
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
  return `${home}/setup-config.json`;
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

async function mustBeFree({ device, force }: LvmSetup): Promise<void> {
  blockDeviceSize(device);
  mustBeUnheld(blockPart(device), (name) => force && isLeftover(name));
  if (force || isBlank(device)) return;
  throw new TsengineError(
    'Conflict',
    `devicemapper: ${device} is not empty: use dm.directlvm_device_force=true if you want to wipe the device`,
  );
}

/** Whether a device is of a pool that an attempt left on the way. One that has something in it is somebody's. */
function isLeftover(name: string): boolean {
  if (!name.startsWith(LVM_POOL_DEVICE)) return false;
  const target = targetOf(LVM_POOL_DEVICE, 'status');
  if (target?.type !== 'thin-pool') return true;
  const status = parsePoolStatus(target);
  return status?.dataUsed === 0 && status.transaction === 0;
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
    await runOrFail(tool('vgremove'), ['-f', '-y', GROUP], 'devicemapper');
    return;
  }
  throw new TsengineError(
    'Conflict',
    `devicemapper: dm.directlvm_device makes a volume group ${GROUP}, and there is one on ${devices.join(', ')}: if that is Docker's, use its pool with dm.thinpooldev=${GROUP}-${POOL}, else rename it with vgrename`,
  );
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
  await runOrFail(tool('lvcreate'), volume(`${POOL}meta`, metadata), 'devicemapper');
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
  await runOrFail(tool('lvconvert'), [...convert, '--poolmetadata', `${GROUP}/${POOL}meta`], 'devicemapper');
  makeDirectories(PROFILES, 0o755);
  const [threshold, percent] = [setup.autoextendThreshold || 80, setup.autoextendPercent || 20];
  const profile = `activation{\nthin_pool_autoextend_threshold=${threshold}\nthin_pool_autoextend_percent=${percent}\n}`;
  writeFileAtomic(`${PROFILES}/${PROFILE}.profile`, profile, { mode: 0o600 });
  await runOrFail(tool('lvchange'), ['--metadataprofile', PROFILE, `${GROUP}/${POOL}`], 'devicemapper');
}
