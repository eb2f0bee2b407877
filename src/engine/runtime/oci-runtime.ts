/** The OCI runtime, runc or crun, as a program: found, called, and spared where its work is a file or two. */
import { spawn } from 'node:child_process';
import { TsengineError } from '../../errors.ts';
import { findProgram } from './programs.ts';
import { runtimeMessage } from './runtime-error.ts';
import type { RuntimeSettings } from './settings.ts';

/** A runtime that is installed. */
export interface OciRuntime {
  /** As the container names it: `runc`. */
  readonly name: string;
  readonly path: string;
  /** Arguments before the subcommand, from the configuration. */
  readonly args: readonly string[];
  /** The folder in which it keeps its states, one folder a container. On tmpfs. */
  readonly root: string;
}

const INSTALL: Readonly<Record<string, string>> = {
  runc: 'apt-get install runc',
  crun: 'apt-get install crun',
};

/**
 * The runtime that `name` means (empty: the default one). Fails with `InvalidParameter` in Docker's words for a name that
 * nobody knows, with `Unavailable` for a program that is not installed.
 */
export function findRuntime(name: string, settings: RuntimeSettings, execRoot: string): OciRuntime {
  const wanted = name === '' ? settings.defaultRuntime : name;
  const configured = settings.runtimes?.[wanted];
  const known = configured !== undefined || wanted in INSTALL || wanted.startsWith('/');
  // A container that Docker made names `runc`, or `io.containerd.runc.v2`, which is runc as well.
  const alias = wanted.startsWith('io.containerd.runc.') ? 'runc' : wanted;
  if (!known && alias === wanted) {
    throw new TsengineError('InvalidParameter', `Unknown runtime specified ${wanted}`);
  }
  const program = configured?.path ?? alias;
  const path = findProgram(program);
  if (path === undefined) {
    const advice =
      INSTALL[alias] === undefined ? 'install it or name another with --runtime' : INSTALL[alias];
    throw new TsengineError('Unavailable', `OCI runtime ${program} not found: ${advice}`);
  }
  const folder = (alias.split('/').at(-1) ?? alias).replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return { name: wanted, path, args: configured?.args ?? [], root: `${execRoot}/runtimes/${folder}` };
}

/** Checks a runtime's name as `create` does, without requiring that the program is installed. */
export function checkRuntimeName(name: string, settings: RuntimeSettings): void {
  if (name === '' || name.startsWith('/') || name.startsWith('io.containerd.runc.')) return;
  if (name in INSTALL || settings.runtimes?.[name] !== undefined) return;
  throw new TsengineError('InvalidParameter', `Unknown runtime specified ${name}`);
}

/** How a call of the runtime ended. */
export interface RuntimeResult {
  readonly code: number;
  readonly stderr: string;
}

/** Runs the runtime with a subcommand and waits for it. Never fails for an exit code. */
export function callRuntime(runtime: OciRuntime, ...args: readonly string[]): Promise<RuntimeResult> {
  const child = spawn(runtime.path, [...runtime.args, '--root', runtime.root, ...args], {
    cwd: '/',
    env: { PATH: process.env.PATH ?? '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => {
      reject(new TsengineError('System', `cannot run ${runtime.path}: ${error.message}`, { cause: error }));
    });
    child.on('close', (code, signal) => resolve({ code: code ?? (signal === null ? 1 : 128), stderr }));
  });
}

/** Runs the runtime with a subcommand. Fails with `System` and the runtime's own words when it does. */
export async function requireRuntime(runtime: OciRuntime, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await callRuntime(runtime, ...args);
  if (code === 0) return;
  const said = runtimeMessage(stderr);
  throw new TsengineError(
    'System',
    `${runtime.name} ${args[0] ?? ''} failed: ${said || `exit code ${code}`}`,
  );
}
