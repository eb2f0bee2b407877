/** What of two answers may differ. Every rule has its reason; whatever no rule covers must be the same byte for byte. */

/** What is particular to one side. */
export interface Side {
  readonly dataRoot: string;
  /** Where the state was made: what containers remember as the place of their files. */
  readonly madeAt: string;
  /** What messages call the program. */
  readonly program: 'docker' | 'tsengine';
  /** Ids (64 digits) that were there from the start: the same on both sides. */
  readonly known: ReadonlySet<string>;
  /** Ids that commands made since, in the order in which they were seen. */
  readonly made: string[];
}

/** How a command ended. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

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

/** The id of what was made since differs: it holds the time. Each stands for the same thing on both sides, in order. */
const madeIds: Rule = (text, side) => {
  const full = text.replaceAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g, (id) => {
    if (side.known.has(id)) return id;
    if (!side.made.includes(id)) side.made.push(id);
    return `<made ${side.made.indexOf(id)}>`;
  });
  return full.replaceAll(/(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])/g, (short) => {
    const index = side.made.findIndex((id) => id.startsWith(short));
    return index < 0 ? short : `<made ${index}>`.padEnd(12);
  });
};

/** An answer without what may differ. */
export function normalise(answer: Answer, side: Side): Answer {
  const of = (rules: readonly Rule[], text: string) => rules.reduce((rest, rule) => rule(rest, side), text);
  return {
    code: answer.code,
    stdout: of([dataRoot, madeIds], answer.stdout),
    stderr: of([dataRoot, madeIds, waiting, program, speaker, lastNewline], answer.stderr),
  };
}
