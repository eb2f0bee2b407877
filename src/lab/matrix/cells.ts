/** Which cells a matrix has. */

import type { DriverName } from '../../drivers/driver.ts';
import { DRIVER_NAMES, driverFactory } from '../../drivers/registry.ts';
import { TsengineError } from '../../errors.ts';
import { BACKINGS, type Backing } from './schema.ts';

/** One driver on one filesystem. */
export interface CellName {
  readonly driver: DriverName;
  readonly backing: Backing;
}

/** The drivers that were asked for; all when none was. Fails with `InvalidParameter` as the registry does. */
export async function chosenDrivers(names: readonly string[]): Promise<DriverName[]> {
  if (names.length === 0) return [...DRIVER_NAMES];
  const chosen = await Promise.all(names.map(async (name) => (await driverFactory(name)).name));
  return [...new Set(chosen)];
}

/** The filesystems that were asked for; all when none was. */
export function chosenBackings(names: readonly string[]): Backing[] {
  const unknown = names.find((name) => !BACKINGS.some((backing) => backing === name));
  if (unknown !== undefined) {
    throw new TsengineError(
      'InvalidParameter',
      `unknown backing filesystem ${JSON.stringify(unknown)}: choose from ${BACKINGS.join(', ')}`,
    );
  }
  return BACKINGS.filter((backing) => names.length === 0 || names.includes(backing));
}

/** All cells, those of one filesystem together. */
export function cellsOf(drivers: readonly DriverName[], backings: readonly Backing[]): CellName[] {
  return backings.flatMap((backing) => drivers.map((driver) => ({ driver, backing })));
}

/** How a cell is called in messages and files. */
export function cellKey({ driver, backing }: { readonly driver: string; readonly backing: string }): string {
  return `${driver} on ${backing}`;
}
