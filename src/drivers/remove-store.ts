/** Taking away what `driver setup` made (made-store.ts), whole, with what is in it or not at all. */
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import type { StorePlace } from './driver.ts';
import { type MadeStore, type StoreFolder, type StoreRecord, storeOf } from './made-store.ts';
import { howToFree, unrecorded } from './made-stores.ts';
import { isShort, LostImageError, roomLeft } from './store-image.ts';

/** How a store is taken away. */
export interface RemoveStore {
  /** Layers that are in it go with it; else they are a `Conflict`. */
  readonly force: boolean;
  /** Removes the containers that are in it, with `force`, where it can be attached. */
  removeContainers(): Promise<void>;
  /** Removes what elsewhere belongs to it, once it is detached. */
  removeRecords(): void;
  /** Does a small write, with room that was kept back for it where the disk is full. */
  recording(write: () => void): Promise<void>;
  /** Gives up all room that was kept back, where the disk is full. */
  makeRoom(): void;
  /** Takes a line for people. */
  warn(message: string): void;
}

/** Fails as `removeStore` does where there is no store. Changes nothing. */
export async function checkRemove(folder: StoreFolder, name: string, force: boolean): Promise<MadeStore> {
  const store = await storeOf(folder, name);
  if (force && store.recordAnew() !== undefined) return store;
  if (store.record() === undefined) throw noStore(store);
  return store;
}

/**
 * Detaches a store and removes all that was in it. Fails with `NotFound`, having changed nothing, where there is none, and with
 * `Conflict` while something uses it.
 */
export async function removeStore(folder: StoreFolder, name: string, how: RemoveStore): Promise<void> {
  const store = await checkRemove(folder, name, how.force);
  using lock = await store.lockIfAny();
  const anew = how.force && lock !== undefined ? store.recordAnew() : undefined;
  // So that an engine, which removes what is in it, finds its way.
  if (anew !== undefined) await recordAs(store, how, 'ready', anew.size);
  const record = store.record();
  // Another one took it away meanwhile.
  if (lock === undefined || record === undefined) throw noStore(store);
  const place = store.place(record.size, how.force ? '--force ' : '');
  const isDecided = record.state === 'making' || record.mayGo === true;
  if (!isDecided) await empty(store, place, record, how);
  if (store.maker.waitsForRoom === true && isShort(place)) {
    how.makeRoom();
    how.warn(`${roomLeft(place, store.name)}; taking the store away may wait for that`);
  }
  try {
    await store.maker.detach(place);
  } catch (error) {
    // Nothing of it went: who works in it goes on, and others may come.
    if (!isDecided) await recordAs(store, how, 'ready', place.size);
    throw error;
  }
  // From here on nobody can have put anything into it.
  if (!isDecided && !how.force) await recordAs(store, how, 'going', place.size, true);
  how.removeRecords();
  store.removeFiles(place);
  store.forget();
}

/** Puts on record what becomes of a store: without room for that, not even what was kept back, where the record is. */
async function recordAs(store: MadeStore, how: RemoveStore, ...record: Written): Promise<void> {
  try {
    await how.recording(() => store.write(...record));
  } catch (error) {
    if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    store.overwrite(...record);
  }
}

/** What `MadeStore.write` takes. */
type Written = Parameters<MadeStore['write']>;

/**
 * Sees that nothing is in a store that may not go, and that nothing comes any more: who opens it from now on is refused. With
 * `force` it may go from then on, whatever becomes of us.
 */
async function empty(
  store: MadeStore,
  place: StorePlace,
  { state }: StoreRecord,
  how: RemoveStore,
): Promise<void> {
  // A teardown was broken off before it knew whether anything is in there.
  if (state !== 'ready') await recordAs(store, how, 'ready', place.size);
  try {
    const isAttached = await store.maker.isAttached(place);
    const waits = store.maker.waitsForRoom === true && isShort(place);
    if (!isAttached && how.force && waits)
      throw new TsengineError('Unavailable', roomLeft(place, store.name));
    if (!isAttached) await store.maker.attach(place);
    if (how.force) await how.removeContainers();
  } catch (error) {
    if (!how.force) throw error;
    const why = error instanceof LostImageError ? error.why : errorMessage(error);
    how.warn(`containers of ${store.name} may stay on record: ${why}`);
  }
  await recordAs(store, how, 'going', place.size, how.force);
  if (how.force || !(await keepingReady(store, place, how))) return;
  throw new TsengineError(
    'Conflict',
    `${store.name} holds images or containers in ${store.home}: remove them first, or all of them now with ${store.command('teardown', '--force ')}`,
  );
}

/** Whether layers are in a store that is `going`: it is `ready` again where they are, or where that cannot be known. */
async function keepingReady(store: MadeStore, place: StorePlace, how: RemoveStore): Promise<boolean> {
  let isEmpty = false;
  try {
    isEmpty = !(await store.holdsLayers(place));
  } finally {
    if (!isEmpty) await recordAs(store, how, 'ready', place.size);
  }
  return !isEmpty;
}

/** The error for a driver without a store. What it keeps by itself outlives its last layer, and is not ours to take away. */
export function noStore(store: MadeStore): TsengineError {
  const { home, maker, name } = store;
  if (store.unrecordedSize !== undefined) return unrecorded(store);
  const what =
    maker.commandToTakeDown?.(home) === undefined
      ? 'there is nothing to take away'
      : `what it keeps in ${home} it made itself: ${howToFree(store)}`;
  return new TsengineError('NotFound', `${name} has no store that driver setup made: ${what}`);
}
