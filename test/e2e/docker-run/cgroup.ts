/** The cgroup that a row puts its containers below. Neither engine takes it away again. */
import { globSync, rmdirSync } from 'node:fs';
import { readHostFacts } from '../../../src/engine/runtime/spec/host-facts.ts';

const NAME = 'tsengine_table.slice';

/** systemd takes the name of a slice; elsewhere it is a path. */
export const CGROUP_PARENT = readHostFacts().cgroupDriver === 'systemd' ? NAME : `/${NAME}`;

/** Removes it from all hierarchies. */
export function removeCgroupParent(): void {
  for (const path of globSync(`/sys/fs/cgroup/{,*/}${NAME}`)) {
    try {
      rmdirSync(path);
    } catch {
      // Another run of this test uses it.
    }
  }
}
