/** Results of the benchmark suite for tests, made by a seeded generator: what is true in them is known. */
import { CATALOGUE, SCALES } from '../../bench/suite/catalogue.ts';
import { randomFrom } from '../../bench/suite/random.ts';
import {
  type Machine,
  RESULT_VERSION,
  type Result,
  type Sample,
  type Series,
  type Subject,
  type Unit,
} from '../../bench/suite/schema.ts';

/** A machine, but for what is given. */
export function machine(given: Partial<Machine> = {}): Machine {
  return {
    ...{ id: 'host', isVirtual: false, kernel: '6.18.0', processor: 'Made Up 3000', processors: 2 },
    ...{ memory: 8 * 2 ** 30, disk: { filesystem: 'ext4' }, versions: { fio: 'fio-3.33' }, loadBefore: 0.1 },
    ...given,
  };
}

/** A subject by its id, `driver@backing` or `raw@backing`, with `+machine` where it is another than the host. */
export function subject(id: string, given: Partial<Subject> = {}): Subject {
  const [place = '', where] = id.split('+');
  const [driver = '', backing = ''] = place.split('@');
  const isRaw = driver === 'raw';
  return {
    ...{ id, kind: isRaw ? 'raw' : 'driver', machine: where ?? 'host', engine: 'tsengine', backing },
    ...{
      driver: isRaw ? null : driver,
      baseline: isRaw ? null : `raw@${backing}${where === undefined ? '' : `+${where}`}`,
    },
    ...{ standIn: null, size: 8 * 2 ** 30, mkfs: `mkfs.${backing}`, mountOptions: 'rw' },
    ...{ storageOptions: [], failed: null },
    ...given,
  };
}

/** What is true of a subject at a point of a workload, before any noise; undefined where it is not measured. */
export type Truth = (subject: Subject, workload: string, point: Series['point']) => number | undefined;

/** How a result is made. */
export interface Making {
  readonly subjects: readonly Subject[];
  /** The workloads by the beginning of their ids. */
  readonly workloads: readonly string[];
  readonly truth: Truth;
  readonly seed?: number;
  readonly machines?: readonly Machine[];
  readonly samples?: number;
  /** Relative width of the noise, which has a long tail towards the worse. */
  readonly noise?: number;
  /** Of the catalogue's scales. */
  readonly extent?: 'quick' | 'usual' | 'full';
  readonly started?: string;
}

/** What is usual of a unit, so that made figures look like measured ones. */
export const USUAL: Readonly<Record<Unit, number>> = {
  ms: 10,
  bytes: 2 ** 20,
  'bytes/s': 500 * 2 ** 20,
  'ops/s': 20_000,
  count: 10,
  ratio: 1,
};

/** The unit of a workload of the catalogue. */
export function unitOf(workload: string): Unit {
  const found = CATALOGUE.find(({ id }) => id === workload);
  if (found === undefined) throw new Error(`there is no workload ${workload}`);
  return found.unit;
}

/** Makes a result. */
export function madeResult(making: Making): Result {
  const { subjects, truth, seed = 1, samples = 8, noise = 0.03, extent = 'quick' } = making;
  const random = randomFrom(seed);
  const chosen = CATALOGUE.filter(({ id }) => making.workloads.some((start) => id.startsWith(start)));
  // A turn of each subject after the other, so many times: samples of all its series lie within its turn.
  const TURN = 100_000;
  let order = 0;
  const sample = (value: number, worse: 1 | -1, subjectIndex: number, turn: number): Sample => {
    const at = (turn * subjects.length + subjectIndex) * TURN + order;
    const slip = Math.log(1 + noise * -Math.log(1 - random()));
    const jitter = (random() - 0.5) * noise;
    return { value: value * Math.exp(worse * slip + jitter), at, cpu: 5, switches: 12 };
  };
  const series = chosen.flatMap(({ id, better, scales }) =>
    pointsOf(scales, extent).flatMap((point) =>
      subjects.flatMap((one, index): Series[] => {
        const value = truth(one, id, point);
        if (value === undefined) return [];
        order += 1;
        const worse = better === 'less' ? 1 : -1;
        const list = Array.from({ length: samples }, (_, turn) => sample(value, worse, index, turn));
        return [{ subject: one.id, workload: id, point, samples: list }];
      }),
    ),
  );
  return {
    ...{ version: RESULT_VERSION, tsengine: '0.1.0 (abc)', command: 'tsengine bench --quick --seed 1' },
    ...{ started: making.started ?? '2026-11-30T10:00:00.000Z', seconds: 300, seed, interrupted: false },
    machines: [...(making.machines ?? [machine()])],
    subjects: [...subjects],
    workloads: chosen.map(({ scales, ...workload }) => workload),
    series,
  };
}

const MIB = 2 ** 20;

/** All as the claims of the literature have it. */
export const literature: Truth = ({ driver, backing }, workload, point) => {
  const usual = USUAL[unitOf(workload)];
  const isTime = unitOf(workload) === 'ms';
  /** How many times better than usual. */
  const better = (factor: number): number => (isTime ? usual / factor : usual * factor);
  const { size = 0, lower = 0, depth = 1, containers = 1, parallel = 1 } = point;
  if (workload.startsWith('copy-up')) {
    const copied = driver === 'devicemapper' || driver === 'btrfs' || driver === null ? 4096 : lower;
    if (workload.endsWith('.latency'))
      return (1 + copied / MIB) * (driver === 'aufs' ? 1 + depth / 50 : 1) * (driver === 'zfs' ? 2 : 1);
    return copied;
  }
  if (workload.startsWith('large')) {
    if (driver === 'devicemapper' && size > 512 * MIB) return better(0.6);
    if (driver === 'btrfs' && size <= 512 * MIB) return better(0.7);
  }
  if (driver === 'aufs' && /^(large|small)\..*read/.test(workload)) return better(0.8);
  if (driver === 'aufs' && /^(large\.write|small\.create|small\.untar)/.test(workload)) return better(1.2);
  switch (workload) {
    case 'density.page-cache':
      return 256 * MIB * (driver === 'devicemapper' || driver === 'btrfs' ? containers : 1);
    case 'density.disk':
      return driver === 'vfs' && backing === 'ext4' ? 300 * MIB : MIB / 4;
    case 'churn.read.after':
      return better(driver === 'zfs' || driver === 'btrfs' ? 0.3 : 1);
    case 'churn.space':
      return driver === 'devicemapper' || driver === 'btrfs' ? 100 * MIB : 0;
    case 'layers.build':
      return driver === 'btrfs' ? 1000 : driver === 'zfs' ? 5000 : 2000;
    default:
  }
  if (workload.startsWith('parallel.append')) {
    const lost = driver === 'aufs' ? (workload.endsWith('tree') ? 0.4 : 0.2) : 0.01;
    return better((driver === 'zfs' ? 0.6 : 1) / (1 + lost * (parallel - 1)));
  }
  if (driver === 'aufs' && workload.startsWith('parallel.read')) return better(0.8);
  return better(driver === 'zfs' ? 0.6 : 1);
};

type Scales = (typeof CATALOGUE)[number]['scales'];

function pointsOf(scales: Scales, extent: 'quick' | 'usual' | 'full'): Series['point'][] {
  return scales.reduce<Series['point'][]>(
    (points, scale) =>
      points.flatMap((point) => SCALES[scale][extent].map((value) => ({ ...point, [scale]: value }))),
    [{}],
  );
}

/** What a driver, a kernel or a program could say to get out of the place where it is shown. */
export const HOSTILE =
  '</script><script>globalThis.owned = 1</script><img src=x onerror="owned = 1">\'"&amp;<!--\n# own\x1b[2J|../../x';

/** A result in which all that is text is hostile, or very long. */
export function hostileResult(): Result {
  const long = 'w'.repeat(4000);
  const making = {
    subjects: [subject('raw@ext4'), subject('overlay2@ext4'), subject('vfs@ext4')],
    workloads: ['small', 'copy-up.byte.latency'],
    truth: literature,
    extent: 'usual' as const,
  };
  const made = madeResult(making);
  const renamed = (id: string): string =>
    id === 'vfs@ext4' ? long : id === 'raw@ext4' ? HOSTILE : id === 'small.untar' ? `../${HOSTILE}` : id;
  return {
    ...made,
    ...{ tsengine: HOSTILE, command: `tsengine bench ${HOSTILE}`, started: HOSTILE },
    machines: [
      machine({
        ...{ id: HOSTILE, kernel: HOSTILE, processor: long },
        ...{ disk: { [HOSTILE]: HOSTILE }, versions: { [long]: long } },
      }),
    ],
    subjects: made.subjects.map((one) => ({
      ...one,
      ...{
        id: renamed(one.id),
        machine: HOSTILE,
        engine: HOSTILE,
        backing: long,
        mkfs: HOSTILE,
        mountOptions: long,
      },
      ...{ storageOptions: [HOSTILE], failed: HOSTILE, baseline: one.baseline === null ? null : HOSTILE },
      ...(one.driver === 'vfs' ? { driver: long, standIn: HOSTILE } : {}),
    })),
    workloads: made.workloads.map((one) => ({
      ...one,
      id: renamed(one.id),
      title: one.id === 'small.walk' ? long : HOSTILE,
    })),
    series: made.series.map((one) => ({
      ...one,
      subject: renamed(one.subject),
      workload: renamed(one.workload),
      ...(one.workload === 'small.list' ? { samples: [], error: HOSTILE } : {}),
      ...(one.workload === 'small.stat' ? { error: long } : {}),
    })),
  };
}
