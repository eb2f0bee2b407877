/** What to choose for what, in a sentence each: only what the figures carry. */
import { type Judgement, judge, MARGIN } from '../compare/contrast.ts';
import type { Result, Subject, Workload } from '../schema.ts';
import { CONFIDENCE } from '../statistics.ts';
import type { Figures, Point } from './figures.ts';
import { type Relation, relate } from './relation.ts';
import { factorText, listText, spreadText, subjectNames, timesWithin } from './wording.ts';

/** One thing that people do with containers, and the workloads that it is seen by. */
export interface Topic {
  readonly title: string;
  readonly workloads: readonly string[];
  /** Which points count; all unless given. */
  readonly at?: (point: Point) => boolean;
  /** Whether it is about how much is used; about speed unless given. */
  readonly isUse?: boolean;
}

const MIB = 1024 * 1024;

/** In the order of the report. */
export const TOPICS: readonly Topic[] = [
  {
    title: 'writing large files',
    workloads: ['large.write.seq.buffered', 'large.write.seq.fsync', 'large.write.seq.direct'],
  },
  {
    title: 'random writes in large files',
    workloads: ['large.write.rand.buffered', 'large.write.rand.fsync', 'large.write.rand.direct'],
  },
  { title: 'reading large files that nothing cached', workloads: ['large.read.seq.cold'] },
  {
    title: 'random reads of large files that nothing cached',
    workloads: ['large.read.rand.cold', 'large.read.rand.direct'],
  },
  { title: 'many small writes', workloads: ['small.create'] },
  { title: 'reading many small files that nothing cached', workloads: ['small.read.cold'] },
  { title: 'looking at many small files', workloads: ['small.stat', 'small.list', 'small.walk'] },
  { title: 'unpacking a source tree', workloads: ['small.untar'] },
  {
    title: "small changes to the image's small files, up to 1 MiB",
    workloads: ['copy-up.byte.latency', 'copy-up.page.latency'],
    at: ({ lower = 0 }) => lower <= MIB,
  },
  {
    title: "small changes to the image's large files, 64 MiB and more",
    workloads: ['copy-up.byte.latency', 'copy-up.page.latency'],
    at: ({ lower = 0 }) => lower >= 64 * MIB,
  },
  {
    title: "changing owners and modes of the image's large files, 64 MiB and more",
    workloads: ['copy-up.chmod.latency', 'copy-up.chown.latency'],
    at: ({ lower = 0 }) => lower >= 64 * MIB,
  },
  { title: 'starting containers', workloads: ['layers.start'] },
  { title: 'building images of many small layers', workloads: ['layers.build'] },
  { title: 'unpacking images', workloads: ['layers.apply'] },
  {
    title: 'many containers that read the same, in memory',
    workloads: ['density.page-cache'],
    at: ({ containers = 1 }) => containers > 1,
    isUse: true,
  },
  { title: 'many idle containers, on disk', workloads: ['density.disk'], isUse: true },
  {
    title: 'many processes that append at once',
    workloads: [
      'parallel.append-to-big-files',
      'parallel.append-to-small-files',
      'parallel.append-to-file-tree',
    ],
    at: ({ parallel = 1 }) => parallel > 1,
  },
  { title: 'databases', workloads: ['database.write-fsync', 'database.sqlite'] },
];

/** What is said of one topic. */
export interface Advice {
  readonly topic: Topic;
  /** The one that nothing was shown to be better than, and those that it was not shown to be better than. */
  readonly leaders: readonly string[];
  /** `btrfs 1.8 times overlay2 (1.6 to 2.0)`. */
  readonly text: string;
  /** The same with the middle of long lists left out. */
  readonly brief: string;
  /** `btrfs`, `btrfs or zfs`, `any but vfs`; who it is where somebody is better than somebody, perhaps or not. */
  readonly choice: string;
  /**
   * In a word: the first is better than something, perhaps so, all are equal, there were too few turns to tell, or the figures leave
   * it open.
   */
  readonly answer: 'better' | 'perhaps' | 'equal' | 'few' | 'open';
  /** Whether it says that something is better than something. */
  readonly isDifference: boolean;
  /** Of the samples of the comparison with the most of them, the part that something disturbed. */
  readonly disturbed: number;
}

/** From this part of disturbed samples on it is said. */
const DISTURBED = 0.2;

/** `, up to 60 % of the samples disturbed`, where that is worth saying. */
export function disturbedText({ disturbed }: Advice): string {
  return disturbed < DISTURBED ? '' : `, up to ${Math.round(100 * disturbed)} % of the samples disturbed`;
}

/** Two subjects at one topic, as the first sees it. */
interface Judged {
  readonly relation: Relation;
  readonly verdict: Judgement['among'];
  /** What the interval says by itself, as if nothing else had been compared. */
  readonly alone: Judgement['alone'];
}

/** What the figures say of each topic that two drivers were measured at. */
export function adviceOf(figures: Figures): Advice[] {
  const { result } = figures;
  const drivers = result.subjects.filter(({ kind }) => kind === 'driver');
  const pairs = drivers.flatMap((subject, index) =>
    drivers.slice(index + 1).map((other) => ({ subject, other })),
  );
  const relations = TOPICS.flatMap((topic) =>
    pairs.flatMap(({ subject, other }) => {
      const relation = relate(figures, subject, other, chosenBy(topic));
      return relation === undefined ? [] : [{ topic, relation }];
    }),
  );
  // All of them at once: who looks at four hundred pairs finds twenty differences of 95 % by chance.
  const judgements = judge(relations.map(({ relation }) => relation));
  const judged = relations.map((one, index) => {
    const { alone = 'open', among = 'open' } = judgements[index] ?? {};
    return { ...one, alone, verdict: among };
  });
  return TOPICS.flatMap((topic) => {
    const own = judged.filter((one) => one.topic === topic);
    return own.length === 0 ? [] : [adviceOn(topic, own, result)];
  });
}

/** Which workloads and points a topic is about. */
export function chosenBy({ workloads, at }: Topic): (workload: Workload, point: Point) => boolean {
  return ({ id }, point) => workloads.includes(id) && (at === undefined || at(point));
}

/** As the second of both sees it. */
function turned({ relation, verdict, alone }: Judged): Judged {
  const { value, low, high, confidence } = relation.ratio;
  const ratio = { value: 1 / value, low: 1 / high, high: 1 / low, confidence };
  const opposite = { larger: 'smaller', smaller: 'larger', same: 'same', open: 'open' } as const;
  return {
    relation: { ...relation, ratio, subject: relation.other, other: relation.subject },
    verdict: opposite[verdict],
    alone: opposite[alone],
  };
}

function adviceOn(topic: Topic, judged: readonly Judged[], result: Result): Advice {
  const both = [...judged, ...judged.map(turned)];
  const subjects = [...new Set(both.map(({ relation }) => relation.subject))];
  const seenBy = (subject: Subject): Judged[] => both.filter(({ relation }) => relation.subject === subject);
  const level = (subject: Subject): number => {
    const logs = seenBy(subject).map(({ relation }) => Math.log(relation.ratio.value));
    return logs.reduce((sum, log) => sum + log, 0) / logs.length;
  };
  const [leader] = subjects.toSorted((a, b) => level(b) - level(a));
  const name = subjectNames(result.subjects);
  if (leader === undefined)
    return {
      ...{ topic, leaders: [], text: '', brief: '', choice: '' },
      ...{ answer: 'open', isDifference: false, disturbed: 0 },
    };
  const seen = seenBy(leader).toSorted((a, b) => a.relation.ratio.value - b.relation.ratio.value);
  const behind = seen.filter(({ verdict }) => verdict === 'larger');
  const alike = seen.filter(({ verdict }) => verdict === 'same');
  const perhaps = seen.filter(({ verdict, alone }) => verdict === 'open' && alone === 'larger');
  const open = seen.filter(
    (one) => (one.verdict === 'open' || one.verdict === 'smaller') && !perhaps.includes(one),
  );
  const few = open.filter(isFew);
  const uneven = open.filter((one) => !isFew(one) && isUneven(one));
  const equal = open.filter((one) => !isFew(one) && !isUneven(one));
  const named = ({ other, isAcross }: Relation): string => `${name(other)}${isAcross ? ' †' : ''}`;
  const first = name(leader);
  const isUse = topic.isUse === true;
  const said = (cut: Cut): string => {
    const parts = [
      ...(behind.length === 0 ? [] : [behindText(first, cut(factorsOf(behind, named, isUse)), isUse)]),
      ...(perhaps.length === 0 ? [] : [`perhaps ${cut(factorsOf(perhaps, named, isUse)).join(', ')}`]),
      ...(alike.length === 0
        ? []
        : [alikeText(first, cut(namesOf(alike, named)), behind.length + perhaps.length === 0)]),
      ...(equal.length === 0
        ? []
        : [`equal, as far as these figures go, to ${listText(cut(withinOf(equal, named)))}`]),
      ...(uneven.length === 0 ? [] : [`not surely better than ${listText(cut(withinOf(uneven, named)))}`]),
      ...(few.length === 0 ? [] : [`too few turns to tell it from ${listText(cut(withinOf(few, named)))}`]),
    ];
    const isNamed = behind.length > 0 || (alike.length > 0 && perhaps.length === 0);
    return `${isNamed ? '' : `${first}: `}${parts.join('; ')}`;
  };
  const others = (list: readonly Judged[]): Subject[] => list.map(({ relation }) => relation.other);
  const best = [leader, ...others([...alike, ...equal, ...few])];
  return {
    topic,
    leaders: best.map(name),
    text: said((list) => list),
    brief: said(shortened),
    choice: choiceOf(
      placesOf(best, subjects, name),
      placesOf(others([...behind, ...perhaps]), subjects, name),
      best.length + behind.length + perhaps.length === subjects.length,
    ),
    isDifference: behind.length > 0,
    answer: answerOf([behind, perhaps, few, open]),
    disturbed: Math.max(...seen.map(({ relation }) => relation.disturbed)),
  };
}

function answerOf([behind, perhaps, few, open]: readonly (readonly Judged[])[]): Advice['answer'] {
  const has = (list: readonly Judged[] | undefined): boolean => list !== undefined && list.length > 0;
  if (has(behind)) return 'better';
  if (has(perhaps)) return 'perhaps';
  if (has(few)) return 'few';
  return has(open) ? 'open' : 'equal';
}

type Named = (relation: Relation) => string;

/** What becomes of a list. */
type Cut = (list: readonly string[]) => readonly string[];

/** Lists of more than this are cut in short words. */
const LONGEST = 4;

/** The first two and the last, which are the nearest and the farthest. */
function shortened(list: readonly string[]): readonly string[] {
  if (list.length <= LONGEST) return list;
  return [...list.slice(0, 2), `${list.length - 3} more`, ...list.slice(-1)];
}

/** The names of subjects: of a driver that is among them on all of its stores, one. */
function placesOf(
  list: readonly Subject[],
  all: readonly Subject[],
  name: (subject: Subject) => string,
): readonly string[] {
  const isWhole = ({ driver, standIn }: Subject): boolean =>
    all.every((one) => one.driver !== driver || one.standIn !== standIn || list.includes(one));
  return [
    ...new Set(
      list.map((subject) => {
        const { driver, standIn } = subject;
        if (driver === null || !isWhole(subject)) return name(subject);
        return standIn === null ? driver : `${driver} (${standIn})`;
      }),
    ),
  ];
}

/** What to choose, in a word or two: who is not among the worse ones. */
function choiceOf(leaders: readonly string[], worse: readonly string[], isAll: boolean): string {
  const [first = ''] = leaders;
  if (leaders.length === 1) return first;
  if (worse.length <= 2 && leaders.length > 2 && isAll) return `any but ${listText(worse, 'or')}`;
  return leaders.length <= 3 ? listText(leaders, 'or') : `${first} and ${leaders.length - 1} like it`;
}

function factorsOf(judged: readonly Judged[], named: Named, isUse: boolean): string[] {
  return judged.map(({ relation }) => {
    const factor = factorText(relation.ratio.value);
    return isUse
      ? `${named(relation)} takes ${factor} times as much ${spreadText(relation.ratio)}`
      : `${factor} times ${named(relation)} ${spreadText(relation.ratio)}`;
  });
}

function namesOf(judged: readonly Judged[], named: Named): string[] {
  return judged.map(({ relation }) => named(relation));
}

function withinOf(judged: readonly Judged[], named: Named): string[] {
  return judged.map(({ relation }) => `${named(relation)} (${timesWithin(relation.ratio)})`);
}

function behindText(first: string, list: readonly string[], isUse: boolean): string {
  return `${first}${isUse ? ';' : ''} ${list.join(', ')}`;
}

function alikeText(first: string, others: readonly string[], isWhole: boolean): string {
  const margin = `within ${Math.round((MARGIN - 1) * 100)} %`;
  return isWhole
    ? `${listText([first, ...others])} are equal ${margin}`
    : `equal ${margin} to ${listText(others)}`;
}

/** No interval of so few samples is one of 95 %. */
function isFew({ relation }: Judged): boolean {
  return relation.ratio.confidence < CONFIDENCE;
}

/** Better in the middle of all points and not at each. Others that overlap are equal as far as the figures go. */
function isUneven({ relation }: Judged): boolean {
  return relation.ratio.value > MARGIN;
}
