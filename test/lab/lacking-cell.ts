/** Runs the cell of aufs on the folder that is named, and tells what it comes to; and whether devicemapper finds its mkfs. For matrix-lacking.test.ts. */
import { chooseFilesystem } from '../../src/drivers/devicemapper/layer-filesystem.ts';
import { LackingHereError } from '../../src/errors.ts';
import { runOnBacking } from '../../src/lab/matrix/cell-run.ts';
import { eventLine } from '../../src/lab/matrix/events.ts';

const folder = process.argv[2] ?? '';
const backing = {
  path: `${folder}/mounted`,
  scratch: `${folder}/scratch`,
  [Symbol.dispose]: () => undefined,
};
const options = { work: folder, slow: false, log: () => undefined };
const outcome = await runOnBacking({ driver: 'aufs', backing: 'ext4' }, backing, options);
const cell = { driver: 'aufs', backing: 'ext4', ...outcome, seconds: 0, log: '' } as const;
process.stdout.write(eventLine({ event: 'cell', cell }));
try {
  chooseFilesystem('ext4');
} catch (error) {
  process.stdout.write(`mkfs.ext4 is lacking: ${error instanceof LackingHereError}\n`);
}
