/**
 * Debian's archive as this machine's apt is configured to reach it. Other suites are read through a private set of apt's
 * folders in the cache, from the same mirror; the machine's own package lists are never touched.
 */
import { join } from 'node:path';
import { TsengineError } from '../errors.ts';
import { makeDirectories, pathExists, writeFileAtomic } from '../linux/files.ts';
import type { LabCache } from './cache.ts';
import type { LabContext } from './context.ts';
import { runProgram } from './run-program.ts';

/** Where Debian's packages come from. */
export interface DebianMirror {
  readonly uri: string;
  /** The file with the keys that sign it; apt's own trusted ones when undefined. */
  readonly keyring: string | undefined;
}

const INDEX_FORMAT = '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)|$(SIGNED_BY)';

/** apt waits this long for a mirror that does not answer, in seconds, and tries so often again. */
const NETWORK = [
  ...['-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::https::Timeout=20'],
  ...['-o', 'Acquire::Languages=none', '-o', 'APT::Update::Error-Mode=any', '-o', 'APT::Sandbox::User=root'],
];

/**
 * The mirror in what `apt-get indextargets` prints in the format above: Debian's own `main`, not its updates or security
 * archive, and no disc. The Release files say which are Debian's, so that repositories of others do not count.
 */
export function mirrorOf(indexTargets: string): DebianMirror | undefined {
  for (const line of indexTargets.split('\n')) {
    const [origin, codename = '', component, uri = '', keyring = ''] = line.split('|');
    if (origin !== 'Debian' || component !== 'main' || codename === '' || codename.includes('-')) continue;
    if (uri === '' || uri.startsWith('cdrom:')) continue;
    return { uri, keyring: keyring.startsWith('/') ? keyring : undefined };
  }
  return undefined;
}

/** The mirror that this machine's apt uses. */
export async function debianMirror(cache: LabCache, context: LabContext): Promise<DebianMirror> {
  const purpose = "cannot ask apt for this machine's Debian mirror";
  const ask = async (options: readonly string[]): Promise<DebianMirror | undefined> => {
    const args = [...options, 'indextargets', '--format', INDEX_FORMAT, 'Created-By: Packages'];
    return mirrorOf((await runProgram('apt-get', args, { purpose, signal: context.signal })).stdout);
  };
  const known = await ask([]);
  if (known !== undefined) return known;
  // The machine has no lists, and only they tell Debian's repositories from others'. apt does not wait for another apt.
  using _ours = await cache.alone('package-lists');
  const options = privateFolders(join(cache.folder, 'apt/machine'));
  await runProgram('apt-get', [...options, ...NETWORK, 'update'], {
    purpose: "cannot fetch the package lists from this machine's Debian mirror",
    signal: context.signal,
  });
  const fetched = await ask(options);
  if (fetched !== undefined) return fetched;
  throw new TsengineError(
    'Unavailable',
    'apt on this machine is set up with no Debian mirror: the lab takes kernels and packages from one: see /etc/apt/sources.list.d',
  );
}

/** The line of a sources.list for one suite. */
export function sourceLine(mirror: DebianMirror, suite: string, components = 'main'): string {
  const options = mirror.keyring === undefined ? '' : `[signed-by=${mirror.keyring}] `;
  return `deb ${options}${mirror.uri} ${suite} ${components}`;
}

/** apt with folders of its own below `folder`, as options. */
function privateFolders(folder: string): readonly string[] {
  for (const name of ['lists/partial', 'archives/partial']) makeDirectories(join(folder, name));
  const status = join(folder, 'status');
  if (!pathExists(status)) writeFileAtomic(status, '', { mode: 0o644, durable: false });
  return [
    ...['-o', `Dir::State::Lists=${join(folder, 'lists')}`, '-o', `Dir::Cache=${folder}`],
    ...[
      '-o',
      `Dir::State::Status=${status}`,
      '-o',
      `Dir::State::extended_states=${join(folder, 'extended')}`,
    ],
  ];
}

/** One suite of Debian, read with apt. */
export class DebianSuite {
  readonly name: string;
  readonly #options: readonly string[];
  readonly #signal: AbortSignal | undefined;

  private constructor(name: string, options: readonly string[], signal: AbortSignal | undefined) {
    this.name = name;
    this.#options = options;
    this.#signal = signal;
  }

  /** Fetches the suite's package lists into `folder`, which is the caller's alone. */
  static async fetch(
    mirror: DebianMirror,
    name: string,
    folder: string,
    context: LabContext,
    components = 'main',
  ): Promise<DebianSuite> {
    const list = join(folder, 'sources.list');
    const options = [
      ...privateFolders(folder),
      ...['-o', `Dir::Etc::SourceList=${list}`, '-o', 'Dir::Etc::SourceParts=/dev/null'],
      ...['-o', 'Dir::Etc::Preferences=/dev/null', '-o', 'Dir::Etc::PreferencesParts=/dev/null'],
      ...['-o', 'APT::Architecture=amd64', '-o', 'APT::Architectures=amd64', ...NETWORK],
    ];
    writeFileAtomic(list, `${sourceLine(mirror, name, components)}\n`, { mode: 0o644, durable: false });
    await runProgram('apt-get', [...options, 'update'], {
      purpose: `cannot fetch the package lists of Debian's ${name} from this machine's mirror`,
      signal: context.signal,
    });
    return new DebianSuite(name, options, context.signal);
  }

  /** The packages that a package depends on directly. */
  async dependencies(name: string): Promise<readonly string[]> {
    const { stdout } = await runProgram('apt-cache', [...this.#options, 'depends', name], {
      purpose: `cannot look for the package ${name} in Debian's ${this.name}`,
      signal: this.#signal,
    });
    return [...stdout.matchAll(/^ *\|?(?:Pre)?Depends: (\S+)$/gm)].map(([, found = '']) => found);
  }

  /** Downloads packages into `folder`, under the names that the archive gives them. */
  async download(names: readonly string[], folder: string): Promise<void> {
    await runProgram('apt-get', [...this.#options, '-qq', 'download', ...names], {
      purpose: `cannot download ${names.join(', ')} from this machine's Debian mirror`,
      cwd: folder,
      signal: this.#signal,
    });
  }
}
