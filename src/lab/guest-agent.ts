/**
 * The program in the machine that starts the command and carries its input and output, guest-agent.py: in Python because that
 * starts in a fraction of Node's time.
 *
 * Frames (frames.ts) from us: `G` go, `I` input, `C` end of input, `W` size of the terminal, `K` a signal, `T` end now.
 * From it: `H` hello, `S` started, `O` and `E` output, `A` so many bytes of input went to the command, `X` the end and what was used up.
 *
 * It never waits for either side. What we send is always read, so that `T` arrives: input of which no `A` has come is
 * limited by us (INPUT_WINDOW). While we do not read, the command's output stays in its pipes.
 */
import { fileURLToPath } from 'node:url';
import { readText } from '../linux/files.ts';

/** Bytes of input that the agent keeps for a command that does not read them. */
export const INPUT_WINDOW = 256 * 1024;

// Replaced by scripts/build.ts with the program's text; it does not exist when the sources run.
declare const TSENGINE_GUEST_AGENT: string | undefined;

/** The program's text. */
export function agentProgram(): string {
  if (typeof TSENGINE_GUEST_AGENT !== 'undefined') return TSENGINE_GUEST_AGENT;
  return readText(fileURLToPath(new URL('guest-agent.py', import.meta.url)));
}
