/** A container in the foreground: its output is ours, our input and signals are its. */
import type { Attachment, Engine } from '../engine/api/services.ts';
import { hasErrno } from '../errors.ts';
import { writeOut } from './output.ts';
import { holdSignals, passSignalsOn } from './signals.ts';
import { readStandardInput } from './streams.ts';

/** What of the container's standard streams is connected, and whether signals are passed on. */
export interface ForegroundOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly signalProxy: boolean;
  /** Called when the container runs: what fails from then on fails without it. */
  readonly started?: () => void;
}

/**
 * Starts the container, shows its output until it ends and gives its exit code. Throws what `start` throws, with the
 * exit code 125, 126 or 127 that belongs to it. When its output cannot be written, because nobody reads it or the disk is
 * full, this command fails once the container runs; the container is left to conmon, as Docker leaves it to its daemon.
 */
export async function runInForeground(
  engine: Engine,
  id: string,
  options: ForegroundOptions,
): Promise<number> {
  using signals = options.signalProxy ? passSignalsOn(engine, id) : holdSignals();
  const attached: Attachment[] = [];
  const detach = () => {
    for (const attachment of attached.splice(0)) attachment[Symbol.dispose]();
  };
  // Node waits for its threads when it ends, and one of them waits for the container's output.
  process.once('exit', detach);
  let output: Promise<void> = Promise.resolve();
  try {
    await engine.containers.start(id, {
      attach: (attachment) => {
        attached.push(attachment);
        output = showOutput(attachment, options);
        // Whether it failed is looked at below, when the container runs.
        output.catch(() => undefined);
        if (options.stdin) void passInput(attachment);
      },
    });
    options.started?.();
    signals.begin();
    const [code] = await Promise.all([engine.containers.wait(id), output]);
    return code;
  } finally {
    process.off('exit', detach);
    detach();
    if (options.stdin) process.stdin.destroy();
  }
}

async function showOutput(attachment: Attachment, options: ForegroundOptions): Promise<void> {
  for await (const { stream, data } of attachment.output()) {
    if (stream === 'stdout' && options.stdout) await writeOut(1, data);
    if (stream === 'stderr' && options.stderr) await writeOut(2, data);
  }
}

/** Ends quietly when the container or our input does: what the container did not want to read is nobody's failure. */
async function passInput(attachment: Attachment): Promise<void> {
  try {
    for await (const chunk of readStandardInput()) await attachment.write(chunk);
    await attachment.endInput();
  } catch (error) {
    if (!hasErrno(error, 'EPIPE', 'ENOTCONN', 'ERR_STREAM_PREMATURE_CLOSE')) {
      process.stderr.write(
        `tsengine: standard input: ${error instanceof Error ? error.message : String(error)}\n`,
      );
    }
  }
}
