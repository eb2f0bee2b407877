import { writeFileSync } from 'node:fs';

/** A file that is a kernel of this release as far as its header goes. */
export function kernelFile(path: string, release: string): string {
  const file = Buffer.alloc(4096);
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(0x600, 0x20e);
  file.write(`${release} (somebody) #1 SMP\0`, 0x800, 'latin1');
  writeFileSync(path, file);
  return path;
}
