/** A folder that the kernel's NFS server exports and this machine mounts from itself. Debian: nfs-kernel-server. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { TsengineError } from '../../errors.ts';
import { runTool } from './tool.ts';

const PACKAGE = 'nfs-kernel-server';

/** Exports `from` and mounts it at `to`. Gives what ends the server, once nothing of it is mounted. */
export function exportNfs(from: string, to: string): () => void {
  runTool('modprobe', ['-q', 'nfs'], 'kmod', 'this kernel has no NFS client');
  runTool('modprobe', ['-q', 'nfsd'], 'kmod', 'this kernel has no NFS server');
  // The server keeps its state below /var/lib/nfs, and asks for its own folder in /proc.
  mkdirSync('/run/rpc_pipefs', { recursive: true });
  mkdirSync('/var/lib/nfs/v4recovery', { recursive: true });
  writeFileSync('/var/lib/nfs/etab', '', { flag: 'a' });
  runTool('mount', ['-t', 'nfsd', 'nfsd', '/proc/fs/nfsd'], 'mount');
  const stop = (): void => {
    for (const [program, ...args] of [
      ['exportfs', '-u', `127.0.0.1:${from}`],
      ['rpc.nfsd', '0'],
    ]) {
      try {
        runTool(program ?? '', args, PACKAGE);
      } catch {
        // Not begun, or ended already.
      }
    }
  };
  try {
    runTool('ip', ['link', 'set', 'lo', 'up'], 'iproute2');
    runTool('rpc.mountd', ['--no-nfs-version', '3'], PACKAGE);
    runTool(
      'exportfs',
      ['-i', '-o', 'rw,no_root_squash,no_subtree_check,insecure,fsid=0', `127.0.0.1:${from}`],
      PACKAGE,
    );
    runTool('rpc.nfsd', ['--no-nfs-version', '3', '2'], PACKAGE);
    // Else nobody may open a file for 90 seconds: clients of an earlier server, which there was none, come first.
    writeFileSync('/proc/fs/nfsd/v4_end_grace', 'Y');
    runTool('mount', ['-t', 'nfs4', '-o', 'vers=4.2,soft', '127.0.0.1:/', to], 'nfs-common');
  } catch (error) {
    stop();
    throw error instanceof Error ? error : new TsengineError('Unavailable', String(error));
  }
  return stop;
}
