/** What a filesystem itself cannot do, so that no driver on it can: a limit, and no failure of the driver's. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { ftruncate, seekHole } from '../../linux/space.ts';

/** Something that it lacks. */
export interface Lacking {
  /** One line for people. */
  readonly reason: string;
  /** The names of the checks that ask for nothing else. */
  readonly checks: RegExp;
}

const SIZE = 64 * 1024 * 1024;

/** Looks by doing, in a file that is gone again. */
export function lackingAbilities(path: string): Lacking[] {
  if (showsHoles(`${path}/.sparse`)) return [];
  return [
    {
      reason: 'the filesystem does not say where files have holes: copies of them are full',
      checks: /^sparse files/,
    },
  ];
}

function showsHoles(path: string): boolean {
  const fd = openSync(path, 'w+');
  try {
    ftruncate(fd, SIZE);
    writeSync(fd, 'at the end', SIZE - 10);
    return (seekHole(fd, 0) ?? SIZE) < SIZE;
  } finally {
    closeSync(fd);
    rmSync(path, { force: true });
  }
}
