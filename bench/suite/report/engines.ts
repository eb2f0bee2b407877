/** How our drivers stand beside the same drivers of other engines, topic by topic. */
import { type Judgement, judge } from '../compare/contrast.ts';
import type { Subject } from '../schema.ts';
import { CONFIDENCE } from '../statistics.ts';
import type { Figures } from './figures.ts';
import { type Relation, relate } from './relation.ts';
import { factorText, spreadText, subjectNames, timesWithin } from './wording.ts';
import { chosenBy, TOPICS, type Topic } from './words.ts';

/** What is said of one topic. */
export interface EngineWords {
  readonly topic: Topic;
  /** `overlay2 1.3 times docker-overlay2@ext4 (1.2 to 1.4)`, one for each pair. */
  readonly text: string;
}

/** One driver of ours and the same one of another engine, on the same kind of store. */
interface Pair {
  readonly ours: Subject;
  readonly theirs: Subject;
}

/** What the figures say of each topic that a driver was measured at in two engines. */
export function enginesOf(figures: Figures): EngineWords[] {
  const { subjects } = figures.result;
  const pairs = subjects.flatMap((theirs): Pair[] => {
    const ours = subjects.find(
      ({ kind, driver, backing, machine, standIn }) =>
        kind === 'driver' &&
        driver === theirs.driver &&
        backing === theirs.backing &&
        machine === theirs.machine &&
        standIn === theirs.standIn,
    );
    return theirs.kind === 'peer' && ours !== undefined ? [{ ours, theirs }] : [];
  });
  const relations = TOPICS.flatMap((topic) =>
    pairs.flatMap(({ ours, theirs }) => {
      const relation = relate(figures, ours, theirs, chosenBy(topic));
      return relation === undefined ? [] : [{ topic, relation }];
    }),
  );
  const judgements = judge(relations.map(({ relation }) => relation));
  const name = subjectNames(subjects);
  const said = relations.map(({ topic, relation }, index) => ({
    topic,
    text: wordsOf(relation, judgements[index], name, topic.isUse === true),
  }));
  return TOPICS.flatMap((topic) => {
    const own = said.filter((one) => one.topic === topic).map(({ text }) => text);
    return own.length === 0 ? [] : [{ topic, text: own.join('; ') }];
  });
}

function wordsOf(
  { subject, other, ratio }: Relation,
  { alone, among }: Judgement = { alone: 'open', among: 'open' },
  name: (subject: Subject) => string,
  isUse: boolean,
): string {
  const [ours, theirs] = [name(subject), name(other)];
  if (ratio.confidence < CONFIDENCE)
    return `too few turns to tell ${ours} from ${theirs} (${timesWithin(ratio)})`;
  if (among === 'same') return `${ours} and ${theirs} are equal within 5 %`;
  const perhaps = among === 'open' && alone !== 'open' ? 'perhaps ' : '';
  if (among === 'open' && perhaps === '')
    return `${ours} and ${theirs} are equal, as far as these figures go (${timesWithin(ratio)})`;
  const { value, low, high, confidence } = ratio;
  const back = { value: 1 / value, low: 1 / high, high: 1 / low, confidence };
  const [better, worse, factor] = alone === 'larger' ? [ours, theirs, ratio] : [theirs, ours, back];
  const times = `${factorText(factor.value)} times`;
  return isUse
    ? `${worse} ${perhaps}takes ${times} as much as ${better} ${spreadText(factor)}`
    : `${better} ${perhaps}${times} ${worse} ${spreadText(factor)}`;
}
