/** What the result says of the machine that measured. */
import { cpus, loadavg, release, totalmem } from 'node:os';
import { readTextIfAny } from '../../../src/linux/files.ts';
import { findMountOf } from '../../../src/linux/mountinfo.ts';
import type { Machine } from '../schema.ts';

/** Describes it. Versions of what takes part come later, when it is used. */
export function describeMachine(id: string, images: string): Machine {
  const [first] = cpus();
  return {
    id,
    isVirtual: id !== 'host',
    kernel: release(),
    processor: first?.model.trim() ?? 'unknown',
    processors: cpus().length,
    memory: totalmem(),
    disk: diskOf(images),
    versions: { kernel: release() },
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** Of the disk that a folder is on: what the kernel says of it. */
function diskOf(folder: string): Record<string, string> {
  const mount = findMountOf(folder);
  if (mount === undefined) return {};
  const facts: Record<string, string> = {
    filesystem: mount.type,
    device: mount.source.toString(),
    mountOptions: mount.options,
  };
  const block = `/sys/dev/block/${mount.major}:${mount.minor}`;
  // A partition's queue is its disk's.
  for (const place of [block, `${block}/..`]) {
    const add = (name: string, file: string): void => {
      const text = readTextIfAny(`${place}/${file}`)?.trim();
      if (text !== undefined && text !== '') facts[name] ??= text;
    };
    add('model', 'device/model');
    add('rotational', 'queue/rotational');
    const scheduler = /\[(\S+)\]/.exec(readTextIfAny(`${place}/queue/scheduler`) ?? '')?.[1];
    if (scheduler !== undefined) facts.scheduler ??= scheduler;
  }
  return facts;
}
