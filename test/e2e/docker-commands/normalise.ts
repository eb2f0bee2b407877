/** What of two answers may differ. Every rule has its reason; whatever no rule covers must be the same byte for byte. */

/** A container that uses an image; both ids in full. */
export interface User {
  readonly id: string;
  readonly image: string;
  readonly running: boolean;
}

/** What is particular to one side. */
export interface Side {
  readonly dataRoot: string;
  /** Where the state was made: what containers remember as the place of their files. */
  readonly madeAt: string;
  /** What messages call the program. */
  readonly program: 'docker' | 'tsengine';
  /** Ids (64 digits) that were there from the start: the same on both sides. */
  readonly known: ReadonlySet<string>;
  /** Ids that commands made since, with the label that stands for each. */
  readonly made: Map<string, string>;
  /** All containers, newest first, where an answer says that one of them is in the way. */
  readonly users?: readonly User[];
}

/** How a command ended. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const ID = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g;
const SHORT_ID = /(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])/g;

type Rule = (text: string, side: Side) => string;

/** The two sides work on copies of one data root, which lie at different places. */
const dataRoot: Rule = (text, side) =>
  text.replaceAll(side.dataRoot, '/ROOT').replaceAll(side.madeAt, '/ROOT');

/** Each program says its own name: in usage texts, and where it tells how to get help. */
const program: Rule = (text, side) =>
  text.replaceAll(new RegExp(`(?<![\\w/.-])${side.program}(?![\\w/.-])`, 'gi'), 'PROGRAM');

/** Docker's client forgets the last newline now and then. */
const lastNewline: Rule = (text) => text.replace(/\n$/, '');

/** Docker's client also logs that it no longer waits for a container that did not start. */
const waiting: Rule = (text) =>
  text.replace(/^time="[^"]+" level=error msg="error waiting for container: context canceled"\n/m, '');

/** Docker's client says which of its two programs failed; tsengine is one program and says its name. */
const speaker: Rule = (text) => text.replaceAll(/^(?:Error response from daemon: |Error: |PROGRAM: )+/gm, '');

/** Of several containers that use an image Docker names any, out of a map; ours must be the newest. Others stay as they are. */
const anyUser: Rule = (text, side) =>
  text.replaceAll(/conflict: .* container [0-9a-f]{12}.*/g, (line) => {
    const [, kind, named = ''] = /(?:(running|stopped) )?container ([0-9a-f]{12})/.exec(line) ?? [];
    const image = line.match(SHORT_ID)?.find((id) => id !== named) ?? '?';
    const users = (side.users ?? [])
      .filter((user) => user.image.startsWith(image))
      .filter((user) => kind === undefined || user.running === (kind === 'running'));
    const allowed = side.program === 'docker' ? users : users.slice(0, 1);
    return allowed.some(({ id }) => id.startsWith(named)) ? line.replace(named, '<a user>') : line;
  });

/** The id of what commands made differs: it holds the time. `nameMade` gives what stands for the same thing one label. */
const madeIds: Rule = (text, side) => {
  const full = text.replaceAll(ID, (id) => side.made.get(id) ?? id);
  return full.replaceAll(SHORT_ID, (short) => {
    const found = [...side.made].find(([id]) => id.startsWith(short));
    return found === undefined ? short : found[1].padEnd(12);
  });
};

/** Labels the ids that are new in two answers to the same command: the first of the one with the first of the other. */
export function nameMade(answers: readonly (readonly [Answer, Side])[]): void {
  const fresh = answers.map(([{ stdout, stderr }, side]) => {
    const ids = new Set(`${stdout}\n${stderr}`.match(ID));
    return [...ids].filter((id) => !side.known.has(id) && !side.made.has(id));
  });
  const isPaired = fresh.every((ids) => ids.length === fresh[0]?.length);
  const base = Math.max(...answers.map(([, side]) => side.made.size));
  for (const [index, [, side]] of answers.entries()) {
    const label = isPaired ? 'made' : side.program;
    for (const [at, id] of (fresh[index] ?? []).entries()) side.made.set(id, `<${label} ${base + at}>`);
  }
}

/** An answer without what may differ. */
export function normalise(answer: Answer, side: Side): Answer {
  const of = (rules: readonly Rule[], text: string) => rules.reduce((rest, rule) => rule(rest, side), text);
  return {
    code: answer.code,
    stdout: of([dataRoot, madeIds], answer.stdout),
    stderr: of([anyUser, dataRoot, madeIds, waiting, program, speaker, lastNewline], answer.stderr),
  };
}
