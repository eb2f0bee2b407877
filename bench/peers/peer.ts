/** An engine under measurement: its command line on a data root of its own, on a file system of its own. */
import { spawnSync } from 'node:child_process';
import { type Command, timed } from '../measure.ts';
import { freshDisk, type Home } from './disk.ts';

/** What each engine brings. Disposing of it stops it and removes what it left outside its file system. */
export interface PeerParts extends AsyncDisposable {
  readonly name: string;
  /** The words before a command, and the environment that it needs. */
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly dataRoot: string;
  /** Waits until nothing of the engine works any more after a command has ended. */
  quiet(): Promise<void>;
}

/** An engine, ready. Disposing of it removes its file system too. */
export interface Peer extends PeerParts {
  /** A command of the engine as a process. */
  argv(...args: string[]): Command;
  /** Milliseconds that a command takes; it must succeed. */
  time(...args: string[]): number;
  /** Runs a command that must succeed and gives its standard output. */
  ok(...args: string[]): string;
}

/** Opens an engine on a fresh file system. */
export async function openPeer(
  open: (disk: string) => Promise<PeerParts>,
  home: Home = 'ext4',
): Promise<Peer> {
  const disk = freshDisk(home);
  try {
    const parts = await open(disk.path);
    const argv = (...args: string[]): Command => ({ argv: [...parts.command, ...args], env: parts.env });
    return {
      ...parts,
      argv,
      time: (...args) => timed(argv(...args)),
      ok: (...args) => output(argv(...args)),
      [Symbol.asyncDispose]: async () => {
        await parts[Symbol.asyncDispose]();
        disk[Symbol.dispose]();
      },
    };
  } catch (error) {
    disk[Symbol.dispose]();
    throw error;
  }
}

function output({ argv, env }: Command): string {
  const [file, ...args] = argv;
  const ended = spawnSync(file, args, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (ended.status === 0) return ended.stdout;
  throw new Error(`${argv.join(' ')}: ended with ${ended.status}: ${ended.stderr}`, { cause: ended.error });
}
