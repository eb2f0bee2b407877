/** `--mount` of run and create. */
import { TsengineError } from '../../errors.ts';
import { ramInBytes } from '../format/units.ts';
import { parseCsvRecord } from './csv.ts';
import { parseBoolean, parseFlag } from './flag-error.ts';

/** One mount as Docker's API takes it in `HostConfig.Mounts`. Absent keys are not written. */
export interface MountFlag {
  Type: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: { Propagation?: string; NonRecursive?: boolean };
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: Record<string, string>;
    DriverConfig?: { Name?: string; Options?: Record<string, string> };
  };
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
}

/** Reads `type=bind,src=/h,dst=/c,readonly`. Throws InvalidParameter in Docker's words; the engine checks the rest. */
export function parseMountFlag(value: string): MountFlag {
  return parseFlag('--mount', value, parseMount);
}

function parseMount(text: string): MountFlag {
  const mount: MountFlag = { Type: 'volume' };
  for (const field of parseCsvRecord(text)) {
    const split = field.indexOf('=');
    const key = (split < 0 ? field : field.slice(0, split)).toLowerCase();
    if (split >= 0) setOption(mount, key, field.slice(split + 1), field);
    else if (!setSwitch(mount, key, true)) fail(`invalid field '${field}' must be a key=value pair`);
  }
  if (mount.Type === '') fail('type is required');
  if (mount.Target === undefined || mount.Target === '') fail('target is required');
  checkMix(mount);
  return mount;
}

function fail(message: string): never {
  throw new TsengineError('InvalidParameter', message);
}

/** The keys that stand for a true or false, also without a value. */
function setSwitch(mount: MountFlag, key: string, on: boolean): boolean {
  if (key === 'readonly' || key === 'ro') {
    if (on) mount.ReadOnly = true;
    else delete mount.ReadOnly;
  } else if (key === 'volume-nocopy') {
    const { NoCopy: _, ...rest } = mount.VolumeOptions ?? {};
    mount.VolumeOptions = { ...(on ? { NoCopy: true } : {}), DriverConfig: {}, ...rest };
  } else if (key === 'bind-nonrecursive') {
    mount.BindOptions = { ...mount.BindOptions, NonRecursive: on };
  } else return false;
  return true;
}

function setOption(mount: MountFlag, key: string, value: string, field: string): void {
  switch (key) {
    case 'type':
      mount.Type = value.toLowerCase();
      return;
    case 'source':
    case 'src':
      mount.Source = value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      mount.Target = value;
      return;
    case 'consistency':
      mount.Consistency = value.toLowerCase();
      return;
    case 'bind-propagation':
      mount.BindOptions = { ...mount.BindOptions, Propagation: value.toLowerCase() };
      return;
    case 'readonly':
    case 'ro':
    case 'volume-nocopy':
    case 'bind-nonrecursive':
      setSwitch(mount, key, parseBoolean(value) ?? fail(`invalid value for ${key}: ${value}`));
      return;
    case 'volume-label':
    case 'volume-driver':
    case 'volume-opt':
      setVolumeOption(mount, key, value);
      return;
    case 'tmpfs-size':
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: tmpfsSize(value) };
      return;
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(value) || Number.parseInt(value, 8) >= 2 ** 32)
        fail(`invalid value for ${key}: ${value}`);
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
      return;
    default:
      fail(`unexpected key '${key}' in '${field}'`);
  }
}

function setVolumeOption(
  mount: MountFlag,
  key: 'volume-label' | 'volume-driver' | 'volume-opt',
  value: string,
): void {
  // The docker client sends a driver, be it an empty one, with the first option of a volume.
  const options = { DriverConfig: {}, ...mount.VolumeOptions };
  if (key === 'volume-label')
    mount.VolumeOptions = { ...options, Labels: { ...options.Labels, ...pair(value) } };
  else {
    const driver = options.DriverConfig;
    const DriverConfig =
      key === 'volume-driver'
        ? { ...driver, Name: value }
        : { ...driver, Options: { ...driver.Options, ...pair(value) } };
    mount.VolumeOptions = { ...options, DriverConfig };
  }
}

function pair(text: string): Record<string, string> {
  const split = text.indexOf('=');
  return split < 0 ? { [text]: '' } : { [text.slice(0, split)]: text.slice(split + 1) };
}

function tmpfsSize(value: string): number {
  try {
    return ramInBytes(value);
  } catch {
    return fail(`invalid value for tmpfs-size: ${value}`);
  }
}

/** Options of one kind of mount on another are mistakes; Docker looks for them in this order. */
function checkMix(mount: MountFlag): void {
  const mix = (options: string) => fail(`cannot mix '${options}' options with mount type '${mount.Type}'`);
  if (mount.VolumeOptions !== undefined && mount.Type !== 'volume') mix('volume-*');
  if (mount.BindOptions !== undefined && mount.Type !== 'bind') mix('bind-*');
  if (mount.TmpfsOptions !== undefined && mount.Type !== 'tmpfs') mix('tmpfs-*');
}
