/** A container with the program in it, and the calls that it answers. */
import type { ChildProcess } from 'node:child_process';
import * as z from 'zod/mini';
import { TsengineError } from '../../../src/errors.ts';
import { byLine } from '../../../src/lab/matrix/events.ts';
import { once } from '../../../src/once.ts';
import { commandFailed, type Engine, endOf, runEngine, startCommand } from './engine.ts';
import { TOOLS, type Tools } from './tools.ts';

const answerSchema = once(() =>
  z.union([
    z.object({
      values: z.record(z.string(), z.number()),
      counted: z.object({ cpu: z.number(), switches: z.number(), read: z.number(), written: z.number() }),
    }),
    z.object({ error: z.string() }),
    z.object({ ready: z.literal(true) }),
  ]),
);

/** What a call gave. */
export interface Answer {
  readonly values: Readonly<Record<string, number>>;
  readonly counted: {
    readonly cpu: number;
    readonly switches: number;
    readonly read: number;
    readonly written: number;
  };
}

/** A container that waits for calls. Disposing of it ends it and has it removed. */
export interface Session extends AsyncDisposable {
  /** Has the program do something. Fails with what went wrong there. */
  call(name: string, args?: Readonly<Record<string, unknown>>): Promise<Answer>;
}

/** What a container is made of. */
export interface ContainerOptions {
  readonly image: string;
  readonly tools: Tools;
  /** Further words of `run`. */
  readonly flags: readonly string[];
  /** Folders of this machine that it sees, by the path at which it does. */
  readonly volumes?: Readonly<Record<string, string>>;
}

/** How long one call may take, in milliseconds: an hour is for files of gigabytes in an emulated machine. */
const LIMIT = 3_600_000;

/** The words of `run` up to the command. */
export function runWords(options: ContainerOptions, ...flags: readonly string[]): string[] {
  const { image, tools, flags: own, volumes = {} } = options;
  const binds = Object.entries(volumes).flatMap(([inside, folder]) => ['-v', `${folder}:${inside}`]);
  return ['run', ...flags, ...own, '--network', 'none', '-v', `${tools.folder}:${TOOLS}:ro`, ...binds, image];
}

let sessions = 0;

/**
 * Runs a container with the program in it and waits until that is ready. Without --rm: what is removed at its end anyway need not
 * survive a crash, and drivers may then leave out what the container asks to have on disk.
 */
export async function openSession(engine: Engine, options: ContainerOptions): Promise<Session> {
  sessions += 1;
  const name = `bench-${sessions}`;
  const words = [...runWords(options, '-i', '--name', name), ...options.tools.command];
  const child = startCommand(engine, words, true);
  const talk = new Talk(engine.name, child, words);
  await talk.next();
  return {
    call: async (name, args = {}) => {
      child.stdin?.write(`${JSON.stringify({ call: name, args })}\n`);
      const answer = await talk.next();
      if ('error' in answer) throw new TsengineError('System', `${name} in a container: ${answer.error}`);
      if ('values' in answer) return answer;
      throw new TsengineError('System', `${name} in a container: it answered nothing`);
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin?.end();
      await talk.ended;
      await engine.quiet();
      await runEngine(engine, 'rm', '-f', name);
      await engine.quiet();
    },
  };
}

type Message = z.infer<ReturnType<typeof answerSchema>>;

/** Lines that come, for who waits for the next one. */
class Talk {
  readonly #lines: Message[] = [];
  #wake: () => void = () => undefined;
  #failure: Error | undefined;
  readonly ended: Promise<void>;

  constructor(name: string, child: ChildProcess, words: readonly string[]) {
    let errors = '';
    // What is written to a process that has ended is told by its end.
    child.stdin?.on('error', () => undefined);
    child.stderr?.on('data', (data: Buffer) => {
      errors = `${errors}${data.toString()}`.slice(-4000);
    });
    child.stdout?.on(
      'data',
      byLine((line) => this.#take(line)),
    );
    this.ended = endOf(child).then(
      (code) => this.#fail(commandFailed(name, words, code, errors)),
      (error: unknown) => this.#fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #take(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return;
    }
    const parsed = answerSchema().safeParse(value);
    if (!parsed.success) return;
    this.#lines.push(parsed.data);
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** The next line. Fails when the container has ended, or says nothing for too long. */
  async next(): Promise<Message> {
    const timer = setTimeout(
      () => this.#fail(new TsengineError('System', `a container said nothing for ${LIMIT / 1000} s`)),
      LIMIT,
    );
    try {
      for (;;) {
        const line = this.#lines.shift();
        if (line !== undefined) return line;
        if (this.#failure !== undefined) throw this.#failure;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
