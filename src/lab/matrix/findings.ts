/** What has been found of a kernel so far, what is still to do, and what is being done. */
import type { CellName } from './cells.ts';
import { cellKey } from './cells.ts';
import { brokenCell, type MatrixEvent } from './events.ts';
import { brokenFeatures, type Trying } from './features.ts';
import type { Backing, Cell, Feature, KernelResult } from './schema.ts';

/** All that is to be found of a kernel. */
export interface Wanted {
  readonly cells: readonly CellName[];
  /** The filesystems whose features are tried; null stands for the kernel's own. */
  readonly features: readonly (Backing | null)[];
}

/** What of it is still to do. */
export interface Left {
  readonly cells: CellName[];
  readonly features: (Backing | null)[];
}

/** Whether nothing is. */
export function isNothing({ cells, features }: Left): boolean {
  return cells.length === 0 && features.length === 0;
}

/** Why a kernel did not get to its end. */
export interface Failure {
  readonly error: string;
  /** `lab`: it could not be tried, which says nothing of the kernel. */
  readonly of: 'kernel' | 'lab';
}

/** Takes events, and knows what they come to. */
export class Findings {
  readonly #wanted: Wanted;
  #kernel: Extract<MatrixEvent, { event: 'kernel' }> | undefined;
  /** How long the first machine took. */
  #bootSeconds: number | null = null;
  readonly #cells = new Map<string, Cell>();
  readonly #features = new Map<Backing | null, readonly Feature[]>();
  /** Begun and not done, in order. */
  readonly #running = new Map<string, CellName>();
  readonly #trying = new Map<Backing | null, Trying>();

  /** `known` is what an earlier run has told: what that one began is not running. */
  constructor(wanted: Wanted, known: readonly MatrixEvent[]) {
    this.#wanted = wanted;
    for (const event of known) this.take(event);
    this.#running.clear();
    this.#trying.clear();
  }

  take(event: MatrixEvent): void {
    switch (event.event) {
      case 'kernel':
        this.#kernel = event;
        break;
      case 'booted':
        this.#bootSeconds ??= event.seconds;
        break;
      case 'begins': {
        const cell = this.#wanted.cells.find((one) => cellKey(one) === cellKey(event));
        if (cell !== undefined) this.#running.set(cellKey(event), cell);
        break;
      }
      case 'cell':
        this.#cells.set(cellKey(event.cell), event.cell);
        this.#running.delete(cellKey(event.cell));
        break;
      case 'tries': {
        const tried = this.#trying.get(event.backing)?.tried ?? [];
        this.#trying.set(event.backing, { name: event.name, tried });
        break;
      }
      case 'tried':
        this.#trying.get(event.feature.backing)?.tried.push(event.feature);
        break;
      case 'features':
        this.#features.set(event.backing, event.features);
        this.#trying.delete(event.backing);
        break;
    }
  }

  /** What is not known yet. */
  left(): Left {
    return {
      cells: this.#wanted.cells.filter((cell) => !this.#cells.has(cellKey(cell))),
      features: this.#wanted.features.filter((backing) => !this.#features.has(backing)),
    };
  }

  /** Whether nothing of this has been found in the meantime. */
  isUnchanged({ cells, features }: Left): boolean {
    const left = this.left();
    return (
      cells.every((cell) => left.cells.includes(cell)) &&
      features.every((backing) => left.features.includes(backing))
    );
  }

  /** What is known once whatever runs is what the machine died of: a cell has failed, a feature is unknown and marked. Empty when nothing runs. */
  blame(reason: string, log: string): MatrixEvent[] {
    const cells = [...this.#running.values()].map(
      ({ driver, backing }): MatrixEvent => ({
        event: 'cell',
        cell: brokenCell(driver, backing, reason, log, 0),
      }),
    );
    const features = [...this.#trying].map(
      ([backing, trying]): MatrixEvent => ({
        event: 'features',
        backing,
        features: brokenFeatures(backing, trying, reason),
      }),
    );
    return [...cells, ...features];
  }

  result(name: string, failure: Failure | null): KernelResult {
    const cells = this.#wanted.cells.flatMap((cell) => this.#cells.get(cellKey(cell)) ?? []);
    const seconds = [...this.#cells.values()].reduce((sum, cell) => sum + cell.seconds, 0);
    return {
      name,
      release: this.#kernel?.release ?? '',
      build: this.#kernel?.build ?? '',
      machine: this.#kernel?.machine ?? '',
      error: failure?.error ?? null,
      ...(failure === null ? {} : { errorOf: failure.of }),
      bootSeconds: this.#bootSeconds,
      seconds: Math.round(seconds * 10) / 10,
      features: this.#wanted.features.flatMap((backing) => this.#features.get(backing) ?? []),
      cells,
    };
  }
}
