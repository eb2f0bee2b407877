import { TsengineError } from '../errors.ts';

/**
 * What an id may be, for every driver: a single path component of at least two characters that no driver uses for
 * anything else (overlay2 has a folder `l`, ours start with a dot) and that no shell or mount option trips over.
 */
const LAYER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,159}$/;

/** Names that Docker's drivers put beside the layers and that look like ids. */
const NOT_LAYERS: ReadonlySet<string> = new Set(['backingFsBlockDev', 'tempdir']);

/** Whether a name in a driver's folder is a layer's. */
export function isLayerId(name: string): boolean {
  return LAYER_ID.test(name) && !NOT_LAYERS.has(name);
}

/** Refuses an id that cannot be one: it becomes part of paths, so nothing else may get past here. */
export function checkLayerId(id: string): void {
  if (!isLayerId(id)) throw new TsengineError('InvalidParameter', `invalid layer id ${JSON.stringify(id)}`);
}

/** The error for a layer that is not there. */
export function noSuchLayer(driver: string, id: string): TsengineError {
  return new TsengineError('NotFound', `${driver}: no such layer: ${id}`);
}

/** The error for `create` of an id that is taken. */
export function layerExists(driver: string, id: string): TsengineError {
  return new TsengineError('Conflict', `${driver}: layer ${id} exists already`);
}

/** The error for `remove` of a layer that is mounted and counted. */
export function layerInUse(driver: string, id: string, users: number): TsengineError {
  const times = users === 1 ? 'once' : `${users} times`;
  return new TsengineError(
    'Conflict',
    `${driver}: layer ${id} is in use (mounted ${times}): release it first`,
  );
}

/** The error for `remove` of a layer that another one stands on. */
export function layerHasChildren(driver: string, id: string, child: string): TsengineError {
  return new TsengineError(
    'Conflict',
    `${driver}: layer ${id} is the parent of layer ${child}: remove that first`,
  );
}
