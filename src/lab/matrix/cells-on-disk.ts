/** The inside of a virtual machine: cells, with the images of their filesystems on a disk that is there for them. */
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { parseCellsRequest, runCellsHere } from './cells-here.ts';
import { eventLine } from './events.ts';
import { runTool } from './tool.ts';

/** Runs the cells of the request, as JSON, and writes what happens. The disk, if any, is formatted and belongs to the call. */
export async function runCellsOnDisk(
  text: string,
  disk: string | undefined,
  write: (text: string) => void,
): Promise<void> {
  const request = parseCellsRequest(text);
  const folder = mkdtempSync(`${tmpdir()}/tsengine-cells-`);
  const mounted = disk !== undefined && existsSync(disk);
  if (mounted) {
    runTool('mkfs.ext4', ['-q', '-F', disk], 'e2fsprogs');
    runTool('mount', ['-t', 'ext4', disk, folder], 'mount');
  }
  try {
    await runCellsHere({ ...request, folder }, (event) => write(eventLine(event)), {
      // Of standard error only the last line counts, and only when the cells end badly: what they leave goes with the machine.
      warn: (line) => process.stderr.write(`${line}\n`),
    });
  } finally {
    if (mounted) unmount(folder, MNT_DETACH);
    rmdirSync(folder);
  }
}
