import { buildInfo } from '../version.ts';

/** What `tsengine version` shows, and what its `--format` templates see; the names are Docker's. */
export interface VersionDocument {
  readonly Client: ClientVersion;
  readonly Server: ServerVersion;
}

interface ClientVersion {
  readonly Version: string;
  readonly NodeVersion: string;
  readonly GitCommit: string;
  readonly BuildTime: string;
  readonly Os: string;
  readonly Arch: string;
}

interface ServerVersion extends ClientVersion {
  readonly KernelVersion: string;
}

/** Go's names for Node's architectures, which are what Docker and OCI images use. */
const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Client and engine are one program, so both carry the same build. */
export function versionDocument(): VersionDocument {
  const build = buildInfo();
  const client = {
    Version: build.version,
    NodeVersion: process.version,
    GitCommit: build.gitCommit,
    BuildTime: build.built,
    Os: process.platform,
    Arch: goArchitectures[process.arch] ?? process.arch,
  };
  const os = process.getBuiltinModule('node:os');
  return { Client: client, Server: { ...client, KernelVersion: os.release() } };
}

/** The text of `tsengine version`, in Docker's layout. */
export function versionText({ Client, Server }: VersionDocument): string {
  const rows = (version: ClientVersion): readonly (readonly [string, string])[] => [
    ['Version', version.Version],
    ['Node version', version.NodeVersion],
    ['Git commit', version.GitCommit || 'unknown (running from sources)'],
    ['Built', version.BuildTime || 'unknown'],
    ['OS/Arch', `${version.Os}/${version.Arch}`],
  ];
  const lines = (indent: string, table: readonly (readonly [string, string])[]) =>
    table.map(([name, value]) => indent + `${name}:`.padEnd(20 - indent.length) + value);
  return [
    'Client:',
    ...lines(' ', rows(Client)),
    '',
    'Server:',
    ' Engine:',
    ...lines('  ', [...rows(Server), ['Kernel version', Server.KernelVersion]]),
    '',
  ].join('\n');
}

/** The one line of `tsengine --version`, in Docker's words. */
export function versionLine(): string {
  const { version, gitCommit } = buildInfo();
  return `tsengine version ${version}, build ${gitCommit || 'unknown'}\n`;
}
