/**
 * A folder that the kernel's NFS server exports and this machine mounts from itself. Debian: nfs-kernel-server.
 *
 * The server belongs to a network namespace, and there may be one that is somebody's: ours runs in a network that nobody
 * else is in, with its state below a /var/lib/nfs of its own. Mounting `nfsd` there is what holds it: when the mount
 * namespace ends, however it does, the kernel unmounts that and ends the server (source: `nfsd_umount` in
 * fs/nfsd/nfsctl.c, since Linux 5.13 and in stable releases of older ones).
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { errorMessage, TsengineError } from '../../errors.ts';
import { CLONE_NEWNET, unshare } from '../../linux/namespaces.ts';
import { runTool } from './tool.ts';

const PACKAGE = 'nfs-kernel-server';

/**
 * Seconds in which clients of an earlier server come first and nobody else opens a file; the kernel takes no fewer. In a
 * network that is not the machine's only nfsdcld could tell it that there were none, and a killed cell of which nfsdcld is the last
 * process never ends: it unmounts, the server asks it whether the client is gone, and it is waited for.
 */
const SHORTEST_GRACE = '10';

/** Where programs find rpcbind: a socket in a folder, which belongs to no network. */
const RPCBIND = '/run/rpcbind.sock';

/**
 * Exports `from` and mounts it at `to`. Gives what ends the server, once nothing of it is mounted. From here on this
 * thread, and what it starts, is in a network of its own: only for a process that has nothing else to do.
 */
export function exportNfs(from: string, to: string): () => void {
  runTool('modprobe', ['-q', 'nfs'], 'kmod', 'this kernel has no NFS client');
  runTool('modprobe', ['-q', 'nfsd'], 'kmod', 'this kernel has no NFS server');
  leaveNetwork();
  hideState();
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
    runTool('rpc.mountd', ['--no-nfs-version', '3'], PACKAGE);
    runTool(
      'exportfs',
      ['-i', '-o', 'rw,no_root_squash,no_subtree_check,insecure,fsid=0', `127.0.0.1:${from}`],
      PACKAGE,
    );
    runTool('rpc.nfsd', ['--no-nfs-version', '3', '--grace-time', SHORTEST_GRACE, '2'], PACKAGE);
    runTool('mount', ['-t', 'nfs4', '-o', 'vers=4.2,soft', '127.0.0.1:/', to], 'nfs-common');
  } catch (error) {
    stop();
    throw error instanceof Error ? error : new TsengineError('Unavailable', String(error));
  }
  return stop;
}

/** Goes into a network of its own, with nothing in it but the loopback interface. No server is started where that cannot be. */
function leaveNetwork(): void {
  try {
    unshare(CLONE_NEWNET);
  } catch (error) {
    throw new TsengineError(
      'Unavailable',
      `an NFS server of one's own takes a network of one's own, and this kernel gives none: ${errorMessage(error)}`,
      { cause: error },
    );
  }
  runTool('ip', ['link', 'set', 'lo', 'up'], 'iproute2');
}

/** What the programs share with a server of this machine's: its exports and clients, and rpcbind's list of services. */
function hideState(): void {
  mkdirSync('/var/lib/nfs', { recursive: true });
  runTool('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/var/lib/nfs'], 'mount');
  writeFileSync('/var/lib/nfs/etab', '');
  mkdirSync('/run/rpc_pipefs', { recursive: true });
  if (existsSync(RPCBIND)) runTool('mount', ['--bind', '/dev/null', RPCBIND], 'mount');
}
