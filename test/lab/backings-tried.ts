/** What backings.slow.test.ts tries, here and in the machine. */

export const DRIVERS = ['overlay2', 'vfs'] as const;

/** NFS comes last: its process is in a network of its own from then on. */
export const FILESYSTEMS = ['xfs-noftype', 'fuse', 'nfs'] as const;

/** The checks: three in which a filesystem that lacks something shows. */
export const ONLY =
  /^(?:a layer shows its parent and changes|every kind of file and every attribute is kept|sparse files take no more)/;
