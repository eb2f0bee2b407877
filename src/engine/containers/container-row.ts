/**
 * What lists need of a container, out of its two parsed files. A thousand of them must be read in the time that the
 * command line takes to start, so each field used is checked by hand instead of each field there is by a schema.
 */
import { TsengineError } from '../../errors.ts';
import type { ContainerState } from '../text/status.ts';
import { ZERO_TIME } from '../text/timestamp.ts';
import type { ContainerPaths } from './container-folders.ts';

/** What a mount of a container is to lists and filters. */
export interface RowMount {
  readonly type: string;
  readonly name: string;
  readonly source: string;
  readonly destination: string;
  readonly driver: string;
  readonly mode: string;
  readonly rw: boolean;
  readonly propagation: string;
}

/** A container as lists see it. */
export interface ContainerRow {
  readonly id: string;
  /** Without its leading slash. */
  readonly name: string;
  /** Seconds since 1970, and the nanoseconds after them. */
  readonly created: number;
  readonly createdFraction: number;
  /** The reference as the user wrote it, and the id that it meant then. */
  readonly image: string;
  readonly imageId: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly state: ContainerState & { readonly Pid: number };
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly RowMount[];
  readonly exposedPorts: readonly string[];
  /** Network ids by name. */
  readonly networks: Readonly<Record<string, string>>;
  readonly networkMode: string;
  readonly managed: boolean;
  /** The storage driver that has its layer. */
  readonly driver: string;
}

/** The fields of a row, with what each is. */
const FIELDS: Readonly<Record<keyof ContainerRow, 'string' | 'number' | 'boolean' | 'object'>> = {
  id: 'string',
  name: 'string',
  created: 'number',
  createdFraction: 'number',
  image: 'string',
  imageId: 'string',
  path: 'string',
  args: 'object',
  state: 'object',
  labels: 'object',
  mounts: 'object',
  exposedPorts: 'object',
  networks: 'object',
  networkMode: 'string',
  managed: 'boolean',
  driver: 'string',
};

/** Whether this is a row that the same version of tsengine made and JSON kept. */
export function isContainerRow(value: unknown): value is ContainerRow {
  if (!isFields(value)) return false;
  for (const key in FIELDS) if (typeof value[key] !== Reflect.get(FIELDS, key)) return false;
  return true;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads fields of one JSON object of a file; a field of the wrong type is an error that names both. */
class Reader {
  readonly #fields: Fields;
  readonly #file: string;
  readonly #at: string;

  constructor(value: unknown, file: string, at = '') {
    if (!isFields(value)) throw new TsengineError('Corrupt', `${file}: field "${at}": expected an object`);
    this.#fields = value;
    this.#file = file;
    this.#at = at;
  }

  #fail(key: string, expected: string): never {
    const field = this.#at === '' ? key : `${this.#at}.${key}`;
    throw new TsengineError('Corrupt', `${this.#file}: field "${field}": expected ${expected}`);
  }

  text(key: string, fallback = ''): string {
    const value = this.#fields[key] ?? fallback;
    return typeof value === 'string' ? value : this.#fail(key, 'a string');
  }

  flag(key: string): boolean {
    const value = this.#fields[key] ?? false;
    return typeof value === 'boolean' ? value : this.#fail(key, 'true or false');
  }

  number(key: string): number {
    const value = this.#fields[key] ?? 0;
    return typeof value === 'number' ? value : this.#fail(key, 'a number');
  }

  texts(key: string): string[] {
    const value = this.#fields[key] ?? [];
    if (!Array.isArray(value)) return this.#fail(key, 'a list of strings');
    return value.map((item: unknown) =>
      typeof item === 'string' ? item : this.#fail(key, 'a list of strings'),
    );
  }

  keys(key: string): string[] {
    const value = this.#fields[key];
    return isFields(value) ? Object.keys(value) : [];
  }

  textMap(key: string): Record<string, string> {
    const value = this.#fields[key] ?? {};
    if (!isFields(value)) return this.#fail(key, 'an object of strings');
    for (const item of Object.values(value))
      if (typeof item !== 'string') this.#fail(key, 'an object of strings');
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, String(item)]));
  }

  object(key: string): Reader {
    return new Reader(this.#fields[key] ?? {}, this.#file, this.#at === '' ? key : `${this.#at}.${key}`);
  }
}

function rowState(state: Reader): ContainerState & { readonly Pid: number } {
  const health = state.object('Health');
  return {
    Running: state.flag('Running'),
    Paused: state.flag('Paused'),
    Restarting: state.flag('Restarting'),
    RemovalInProgress: state.flag('RemovalInProgress'),
    Dead: state.flag('Dead'),
    Pid: state.number('Pid'),
    ExitCode: state.number('ExitCode'),
    StartedAt: state.text('StartedAt', ZERO_TIME),
    FinishedAt: state.text('FinishedAt', ZERO_TIME),
    Health: { Status: health.text('Status') },
  };
}

function rowMounts(file: Reader): RowMount[] {
  const points = file.object('MountPoints');
  return file.keys('MountPoints').map((destination) => {
    const point = points.object(destination);
    return {
      type: point.text('Type'),
      name: point.text('Name'),
      source: point.text('Source'),
      destination: point.text('Destination'),
      driver: point.text('Driver'),
      mode: point.text('Relabel'),
      rw: point.flag('RW'),
      propagation: point.text('Propagation'),
    };
  });
}

function rowNetworks(file: Reader): Record<string, string> {
  const settings = file.object('NetworkSettings');
  const networks = settings.object('Networks');
  return Object.fromEntries(
    settings.keys('Networks').map((name) => [name, networks.object(name).text('NetworkID')]),
  );
}

/** A time that Go wrote, which is in UTC or has an offset. Far cheaper than `parseTimestamp`, for lists of thousands. */
function splitTime(text: string): { seconds: number; nanoseconds: number } {
  const [, whole = '', fraction = '', zone = ''] =
    /^([^.Z+]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const milliseconds = Date.parse(whole + zone);
  return {
    seconds: Number.isNaN(milliseconds) ? 0 : milliseconds / 1000,
    nanoseconds: Number(fraction.padEnd(9, '0').slice(0, 9)),
  };
}

/** Takes what lists need. Fails with `Corrupt`, naming file and field. */
export function containerRow(
  id: string,
  paths: ContainerPaths,
  config: unknown,
  hostConfig: unknown,
): ContainerRow {
  const file = new Reader(config, paths.config);
  const settings = file.object('Config');
  const { seconds, nanoseconds } = splitTime(file.text('Created', ZERO_TIME));
  return {
    id,
    name: file.text('Name').replace(/^\//, ''),
    created: seconds,
    createdFraction: nanoseconds,
    image: settings.text('Image'),
    imageId: file.text('Image'),
    path: file.text('Path'),
    args: file.texts('Args'),
    state: rowState(file.object('State')),
    labels: settings.textMap('Labels'),
    mounts: rowMounts(file),
    exposedPorts: settings.keys('ExposedPorts'),
    networks: rowNetworks(file),
    networkMode: new Reader(hostConfig, paths.hostConfig).text('NetworkMode'),
    managed: file.flag('Managed'),
    driver: file.text('Driver'),
  };
}
