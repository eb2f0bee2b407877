/**
 * A thin pool that LVM makes on one block device, as Docker does it (`dm.directlvm_device`): volume group `docker`, pool
 * `thinpool` in it, whose device is `docker-thinpool`. `setup-config.json` in the driver's home says that it was made, in
 * Docker's words; it is written last, so that a kill leaves a volume group that a second attempt refuses.
 */
import * as z from 'zod/mini';
import { LackingHereError, TsengineError } from '../../errors.ts';
import { blockDeviceSize, readStart } from '../../linux/block-device.ts';
import { findCommand, runOrFail } from '../../linux/command.ts';
import { makeDirectories, readTextIfAny, writeFileAtomic } from '../../linux/files.ts';
import type { LvmSetup } from './options.ts';

const GROUP = 'docker';
const POOL = 'thinpool';
const PROFILES = '/etc/lvm/profile';
const PROFILE = 'docker-thinpool';
const TOOLS = ['pvcreate', 'vgcreate', 'lvcreate', 'lvconvert', 'lvchange', 'thin_check'] as const;
type Tool = (typeof TOOLS)[number];

/** Docker's `directLVMConfig`. */
const CONFIG = z.object({
  Device: z.string(),
  ThinpPercent: z.int(),
  ThinpMetaPercent: z.int(),
  AutoExtendPercent: z.int(),
  AutoExtendThreshold: z.int(),
});

/** Makes the pool if it was not made yet, whose device is `LVM_POOL_DEVICE`. Fails before anything is changed where it cannot. */
export async function setUpDirectLvm(home: string, setup: LvmSetup): Promise<void> {
  const path = `${home}/setup-config.json`;
  const wanted = {
    Device: setup.device,
    ThinpPercent: setup.dataPercent,
    ThinpMetaPercent: setup.metadataPercent,
    AutoExtendPercent: setup.autoextendPercent,
    AutoExtendThreshold: setup.autoextendThreshold,
  };
  const made = readConfig(path);
  if (made !== undefined) {
    if (JSON.stringify(made) === JSON.stringify(wanted)) return;
    throw new TsengineError(
      'InvalidParameter',
      `devicemapper: changing direct-lvm config is not supported: ${path} says what the pool was made with`,
    );
  }
  const tools = findTools();
  await mustBeFree(setup);
  await makePool(setup, tools);
  makeDirectories(home, 0o700);
  writeFileAtomic(path, JSON.stringify(wanted), { mode: 0o600 });
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

function findTools(): (tool: Tool) => string {
  const found = new Map(TOOLS.map((tool) => [tool, findCommand(tool)]));
  for (const [tool, path] of found) {
    if (path !== undefined) continue;
    const from = tool === 'thin_check' ? 'thin-provisioning-tools' : 'lvm2';
    throw new LackingHereError(
      `devicemapper: dm.directlvm_device needs ${tool}, which is missing: install the package ${from}`,
    );
  }
  return (tool) => found.get(tool) ?? tool;
}

/** How much of a device is looked at: where LVM and all common filesystems have their marks. */
const LOOKED_AT = 128 * 1024;

async function mustBeFree({ device, force }: LvmSetup): Promise<void> {
  blockDeviceSize(device);
  if (force || readStart(device, LOOKED_AT).every((byte) => byte === 0)) return;
  throw new TsengineError(
    'Conflict',
    `devicemapper: ${device} is not empty: use dm.directlvm_device_force=true if you want to wipe the device`,
  );
}

async function makePool(setup: LvmSetup, tool: (name: Tool) => string): Promise<void> {
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
  await runOrFail(tool('vgcreate'), [GROUP, setup.device], 'devicemapper');
  await runOrFail(tool('lvcreate'), volume(POOL, data), 'devicemapper');
  await runOrFail(tool('lvcreate'), volume(`${POOL}meta`, metadata), 'devicemapper');
  const convert = ['-y', '--zero', 'n', '-c', '512K', '--thinpool', `${GROUP}/${POOL}`];
  await runOrFail(tool('lvconvert'), [...convert, '--poolmetadata', `${GROUP}/${POOL}meta`], 'devicemapper');
  makeDirectories(PROFILES, 0o755);
  const [threshold, percent] = [setup.autoextendThreshold || 80, setup.autoextendPercent || 20];
  const profile = `activation{\nthin_pool_autoextend_threshold=${threshold}\nthin_pool_autoextend_percent=${percent}\n}`;
  writeFileAtomic(`${PROFILES}/${PROFILE}.profile`, profile, { mode: 0o600 });
  await runOrFail(tool('lvchange'), ['--metadataprofile', PROFILE, `${GROUP}/${POOL}`], 'devicemapper');
}
