/**
 * What unshare(1) is told for mount and pid namespaces of one's own. The mount namespace is a slave of ours: what is mounted in it goes
 * nowhere, and what is unmounted here goes there too. With --kill-child the namespaces end with unshare, and with them every process
 * in them.
 */
export const OWN_NAMESPACES = [
  ...['--mount', '--propagation', 'slave'],
  ...['--pid', '--fork', '--kill-child', '--mount-proc'],
] as const;
