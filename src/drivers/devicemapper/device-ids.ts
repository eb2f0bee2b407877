/**
 * Which number the next device of a pool gets. It is kept in the run folder and holds for one transaction of the pool: after
 * another engine's transaction, or a reboot, the files of all layers are read.
 */
import { TsengineError } from '../../errors.ts';
import { makeDirectories, readTextIfAny, writeFileAtomic } from '../../linux/files.ts';
import { BASE, type Metadata, MOST_DEVICE_ID } from './metadata.ts';

/** The numbers of one set. To be used with its lock held. */
export class DeviceIds {
  readonly #metadata: Metadata;
  readonly #runHome: string;

  constructor(metadata: Metadata, runHome: string) {
    this.#metadata = metadata;
    this.#runHome = runHome;
  }

  /** A number that no layer has, for a pool whose last transaction is `transaction`. */
  free(transaction: number): number {
    const noted = this.#noted(transaction);
    if (noted !== undefined && noted <= MOST_DEVICE_ID) return noted;
    const ids = [BASE, ...this.#metadata.ids()];
    const used = new Set(ids.map((id) => this.#metadata.device(id)?.device_id ?? -1));
    const highest = used.values().reduce((most, deviceId) => Math.max(most, deviceId), -1);
    if (highest < MOST_DEVICE_ID) return highest + 1;
    for (let deviceId = 0; deviceId <= MOST_DEVICE_ID; deviceId++) if (!used.has(deviceId)) return deviceId;
    throw new TsengineError(
      'System',
      `devicemapper: all ${MOST_DEVICE_ID + 1} numbers of devices are used: remove images and containers`,
    );
  }

  /** Notes that everything from `next` on is free, for after this transaction. */
  note(transaction: number, next: number): void {
    makeDirectories(this.#runHome, 0o700);
    writeFileAtomic(this.#file, `${transaction} ${next}`, { durable: false, alone: true });
  }

  /** The transaction after this one changed nothing about which number is next: it deleted a device. */
  keep(transaction: number): void {
    const noted = this.#noted(transaction);
    if (noted !== undefined) this.note(transaction + 1, noted);
  }

  get #file(): string {
    return `${this.#runHome}/next-device`;
  }

  #noted(transaction: number): number | undefined {
    const [noted, next] = (readTextIfAny(this.#file) ?? '').split(' ').map(Number);
    return noted === transaction ? next : undefined;
  }
}
