/** Images that are in the data root already, but another driver's: each has its own, as in Docker. */
import { DRIVER_NAMES } from '../../drivers/registry.ts';
import { shellWord } from '../../linux/command.ts';
import { pathExists } from '../../linux/files.ts';
import { programOn } from '../own-command.ts';
import { ReferenceStore } from '../references/reference-store.ts';
import { findImageId, type ImageContext, parseName } from './context.ts';
import { FileImageStore } from './image-store.ts';

/** See `ImageService.bringing`. */
export function commandToBring(context: ImageContext, name: string): string | undefined {
  const { root, driverName } = context;
  const parsed = parseName(name);
  const other = DRIVER_NAMES.find((driver) => {
    const folder = root.imageDir(driver);
    if (driver === driverName || !pathExists(folder)) return false;
    const stores = { images: new FileImageStore(folder, () => {}), references: new ReferenceStore(folder) };
    return findImageId(stores, name, parsed) !== undefined;
  });
  if (other === undefined) return undefined;
  const program = programOn(root);
  return `${program} -s ${other} save ${shellWord(name)} | ${program} -s ${driverName} load`;
}
