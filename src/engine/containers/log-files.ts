/** The files that hold what a container wrote: Docker's json-file log with its rotated parts, and ours. */
import { createReadStream, fstatSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { decompress } from '../../archive/compression.ts';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { closeFile, listDirectory, openFile, pathExists, writeAll } from '../../linux/files.ts';
import { openUnnamed } from '../../linux/unnamed-file.ts';
import type { ContainerPaths } from './container-folders.ts';
import { type LineParser, parseCriLine, parseJsonLine } from './log-lines.ts';

/** How often the files of a log are looked for again that somebody rotates meanwhile. */
const MAX_LOOKS = 20;

/** One file of a container's logs, open for reading. Dispose of it. */
export class LogFile implements Disposable {
  readonly path: string;
  readonly parse: LineParser;
  readonly #stored: number;
  readonly #isCompressed: boolean;
  #plain: number | undefined;

  constructor(path: string, parse: LineParser) {
    this.path = path;
    this.parse = parse;
    this.#isCompressed = path.endsWith('.gz');
    this.#stored = openFile(path, 'r');
  }

  /** A number that the file keeps when it is renamed. */
  get inode(): number {
    return fstatSync(this.#stored).ino;
  }

  /** A descriptor of the text, the same each time; a compressed file is unpacked when this is first asked. */
  async descriptor(): Promise<number> {
    this.#plain ??= this.#isCompressed ? await this.#unpack() : this.#stored;
    return this.#plain;
  }

  async #unpack(): Promise<number> {
    const fd = openUnnamed(tmpdir());
    try {
      const stored = createReadStream('', { fd: this.#stored, autoClose: false, start: 0 });
      for await (const chunk of decompress(stored)) writeAll(fd, chunk, null, this.path);
      return fd;
    } catch (error) {
      closeFile(fd);
      if (!(error instanceof TsengineError)) throw error;
      throw new TsengineError(error.code, `cannot read the log ${this.path}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }

  [Symbol.dispose](): void {
    if (this.#plain !== undefined && this.#plain !== this.#stored) closeFile(this.#plain);
    closeFile(this.#stored);
  }
}

/**
 * The rotated parts of Docker's log, newest first: `<log>.1`, `<log>.2`…, each of which may have been compressed to
 * `.N.gz`. While that is done both are there, and the one that is being written is not whole.
 */
function rotatedPaths({ folder, dockerLog }: ContainerPaths): string[] {
  const numbers = new Map<number, string>();
  const prefix = dockerLog.slice(folder.length + 1);
  for (const name of listDirectory(folder)) {
    const [, digits, ending] = /^\.([1-9][0-9]*)(\.gz)?$/.exec(name.slice(prefix.length)) ?? [];
    if (!name.startsWith(prefix) || digits === undefined) continue;
    if (ending === undefined || !numbers.has(Number(digits)))
      numbers.set(Number(digits), `${folder}/${name}`);
  }
  return [...numbers].toSorted(([a], [b]) => a - b).map(([, path]) => path);
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/** Opens Docker's files, newest first; `undefined` when somebody rotated them meanwhile. */
function tryDockerFiles(paths: ContainerPaths): LogFile[] | undefined {
  using opened = new DisposableStack();
  const files: LogFile[] = [];
  const before = inodeOf(paths.dockerLog);
  try {
    for (const path of [...(before === undefined ? [] : [paths.dockerLog]), ...rotatedPaths(paths)])
      files.push(opened.use(new LogFile(path, parseJsonLine)));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  if (inodeOf(paths.dockerLog) !== before) return undefined;
  opened.move();
  return files;
}

/** Docker's files, oldest first. */
function dockerFiles(paths: ContainerPaths): LogFile[] {
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const files = tryDockerFiles(paths);
    if (files !== undefined) return files.reverse();
  }
  throw new TsengineError(
    'System',
    `Docker rotates the log ${paths.dockerLog} faster than it can be opened: try again`,
  );
}

/** The logs that a container has, oldest first: Docker's of the time before it was ours, and ours. */
export function openLogFiles(paths: ContainerPaths): LogFile[] {
  const files = dockerFiles(paths);
  return pathExists(paths.log) ? [...files, new LogFile(paths.log, parseCriLine)] : files;
}
