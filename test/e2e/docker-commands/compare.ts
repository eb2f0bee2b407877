/** Asks both engines the same and compares what they say. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { Docker } from '../../helpers/docker.ts';
import { type Answer, nameMade, normalise, type Side, type User } from './normalise.ts';
import type { Pair } from './state.ts';
import { expand, splitWords } from './words.ts';

/** A command line. */
export type Row = string | RowWithMore;

/** A command line with what is special about it. */
export interface RowWithMore {
  readonly line: string;
  /** What it reads on standard input. */
  readonly input?: string;
  /** Docker's lines of output come in random order, out of a map; ours are sorted. */
  readonly order?: 'any';
}

/** Command lines that belong together; those of a group that changes state run in its order. */
export interface Group {
  readonly name: string;
  readonly rows: readonly Row[];
}

/** Compares on one pair. */
export class Comparison {
  readonly #pair: Pair;
  readonly #docker: Side;
  readonly #tsengine: Side;

  constructor(pair: Pair) {
    this.#pair = pair;
    const { known } = pair;
    this.#docker = {
      dataRoot: pair.docker.dataRoot,
      madeAt: pair.madeAt,
      program: 'docker',
      known,
      made: new Map(),
    };
    this.#tsengine = {
      dataRoot: pair.tsengine.dataRoot,
      madeAt: pair.madeAt,
      program: 'tsengine',
      known,
      made: new Map(),
    };
  }

  /** Fails when the two differ in exit code, standard output or standard error. */
  async check(row: Row): Promise<void> {
    const [docker, tsengine] = await this.ask(row);
    assert.deepEqual(tsengine, docker);
  }

  /** Both answers, normalised: Docker's and tsengine's. */
  async ask(row: Row): Promise<readonly [docker: Answer, tsengine: Answer]> {
    const { line, input = '', order }: RowWithMore = typeof row === 'string' ? { line: row } : row;
    const { docker, tsengine, values } = this.#pair;
    const words = splitWords(line).map((word) => expand(word, values));
    const [theirs, ours] = await Promise.all([
      docker.try(words, Buffer.from(input)),
      answerOf([...tsengine.command, ...words], input),
    ]);
    nameMade([
      [theirs, this.#docker],
      [ours, this.#tsengine],
    ]);
    const isConflict = [theirs, ours].some(({ stderr }) => stderr.includes('conflict: '));
    const users = isConflict ? await usersIn(docker) : [];
    const inOrder = (answer: Answer): Answer =>
      order === 'any' ? { ...answer, stdout: answer.stdout.split('\n').sort().join('\n') } : answer;
    return [
      inOrder(normalise(theirs, { ...this.#docker, users })),
      inOrder(normalise(ours, { ...this.#tsengine, users })),
    ];
  }
}

/** Docker's containers and their images, newest first; tsengine's are the same. */
async function usersIn(docker: Docker): Promise<User[]> {
  const ids = (await docker('ps', '-aq', '--no-trunc')).split('\n').filter((id) => id !== '');
  if (ids.length === 0) return [];
  const lines = await docker('inspect', '-f', '{{.Id}} {{.Image}} {{.State.Running}}', ...ids);
  return lines.split('\n').map((line) => {
    const [id = '', image = '', running] = line.split(' ');
    return { id, image: image.replace('sha256:', ''), running: running === 'true' };
  });
}

/** Runs a program without keeping anybody else waiting. */
function answerOf([program = '', ...words]: readonly string[], input: string): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(program, words, { maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      resolve({ code: typeof code === 'number' ? code : -1, stdout, stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
