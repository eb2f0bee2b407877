/** Pages in a headless Chromium, driven over the pipe of its DevTools protocol: no port, no socket, no network. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { atExit } from './loop.ts';

const messageSchema = z.object({
  id: z.optional(z.number()),
  result: z.optional(z.unknown()),
  error: z.optional(z.object({ message: z.string() })),
});
const sessionSchema = z.object({ sessionId: z.string() });
const targetSchema = z.object({ targetId: z.string() });
const evaluatedSchema = z.object({
  result: z.object({ value: z.optional(z.unknown()) }),
  exceptionDetails: z.optional(z.unknown()),
});
const imageSchema = z.object({ data: z.string() });

/** How often a page is asked whether it is there: on a busy machine that takes its time. */
const LOOKS = 2400;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A page that is open. Disposing of it ends the browser. */
export interface Page extends AsyncDisposable {
  /** The value of an expression in the page, which must be JSON. A promise is waited for. */
  evaluate(expression: string): Promise<unknown>;
  /** What the page looks like, as PNG. */
  screenshot(): Promise<Buffer>;
  /** Any method of the protocol. */
  call(method: string, parameters?: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** Opens an address. The browser has a profile of its own, which goes with it. */
export async function openPage(address: string): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'tsengine-chromium-'));
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--hide-scrollbars',
  ];
  const args = [
    ...flags,
    '--no-first-run',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
    'about:blank',
  ];
  const child = spawn('chromium', args, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.on('error', () => resolve());
  });
  const kill = atExit(() => {
    endGroup(child);
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  try {
    const { call } = connect(child);
    const { targetId } = targetSchema.parse(await call('Target.createTarget', { url: address }));
    const attached = await call('Target.attachToTarget', { targetId, flatten: true });
    const { sessionId } = sessionSchema.parse(attached);
    const inPage: Page['call'] = (method, parameters) => call(method, parameters, sessionId);
    const page = pageOf(inPage, async () => {
      endGroup(child);
      await ended;
      kill();
    });
    for (let look = 0; !(await isLoaded(page)); look++) {
      assert.ok(look < LOOKS, `${address} did not load`);
      await sleep(50);
    }
    return page;
  } catch (error) {
    kill();
    throw error;
  }
}

/** The target begins with an empty page, whose scripts end when the address comes. */
async function isLoaded(page: Page): Promise<boolean> {
  const expression = `location.href !== 'about:blank' && document.readyState === 'complete'`;
  return (await page.evaluate(expression).catch(() => false)) === true;
}

/** Its children as well: the browser is a dozen processes. */
function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function pageOf(call: Page['call'], close: () => Promise<void>): Page {
  return {
    call,
    evaluate: async (expression) => {
      const parameters = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = evaluatedSchema.parse(await call('Runtime.evaluate', parameters));
      assert.equal(exceptionDetails, undefined, `${expression}: ${JSON.stringify(exceptionDetails)}`);
      return result.value;
    },
    screenshot: async () => {
      const { data } = imageSchema.parse(await call('Page.captureScreenshot', { format: 'png' }));
      return Buffer.from(data, 'base64');
    },
    [Symbol.asyncDispose]: close,
  };
}

type Caller = (method: string, parameters?: object, sessionId?: string) => Promise<unknown>;

/** Messages are JSON, each with a NUL behind it: ours go to descriptor 3, its come from 4. */
function connect(child: ChildProcess): { readonly call: Caller } {
  const input = child.stdio[3];
  const output = child.stdio[4];
  if (!isWritable(input) || !isReadable(output)) throw new Error('chromium has no pipes');
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-2000);
  });
  const waiting = new Map<number, Waiting>();
  const fail = (): void => {
    for (const { reject } of waiting.values()) reject(new Error(`chromium ended: ${said}`));
    waiting.clear();
  };
  child.on('exit', fail);
  child.on('error', fail);
  input.on('error', fail);
  let rest = Buffer.alloc(0);
  output.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
      const { id, result, error } = messageSchema.parse(JSON.parse(rest.subarray(0, end).toString()));
      rest = rest.subarray(end + 1);
      const waiter = id === undefined ? undefined : waiting.get(id);
      if (id === undefined || waiter === undefined) continue;
      waiting.delete(id);
      if (error === undefined) waiter.resolve(result);
      else waiter.reject(new Error(error.message));
    }
  });
  let sequence = 0;
  const call: Caller = (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      const id = ++sequence;
      waiting.set(id, { resolve, reject });
      const session = sessionId === undefined ? {} : { sessionId };
      input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) fail();
    });
  return { call };
}

function isWritable(stream: Readable | Writable | null | undefined): stream is Writable {
  return stream !== null && stream !== undefined && 'write' in stream;
}

function isReadable(stream: Readable | Writable | null | undefined): stream is Readable {
  return stream !== null && stream !== undefined && 'read' in stream;
}
