/** How each subject is drawn: a colour that colour-blind people tell apart, and a shape and dashes that need no colour. */
import type { Subject } from '../schema.ts';

/** The shapes of points, by the names of Chart.js. */
export const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'cross', 'crossRot', 'star'] as const;

/** Lengths of dashes and gaps in pixels. */
export const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [10, 3, 2, 3], [5, 2], [1, 4]];

/** How one subject is drawn. */
export interface Look {
  /** On white paper. */
  readonly light: string;
  /** On a dark screen. */
  readonly dark: string;
  readonly shape: (typeof SHAPES)[number];
  readonly dash: readonly number[];
}

type Colour = readonly [light: string, dark: string];

/** Okabe and Ito's colours; the darkest two are lighter on dark paper. Their yellow is none on white. */
const COLOURS: Readonly<Record<string, Colour>> = {
  overlay2: ['#0072b2', '#4aa8e8'],
  btrfs: ['#009e73', '#2bc79a'],
  zfs: ['#56b4e9', '#8fd0f7'],
  aufs: ['#d55e00', '#f08438'],
  devicemapper: ['#e69f00', '#f2b735'],
  vfs: ['#cc79a7', '#e09cc4'],
};
const RAW: Colour = ['#3c4654', '#c4ccd8'];
const SPARE: readonly Colour[] = Object.values(COLOURS);

/** The looks of all subjects of a result: the driver's colour, and a shape and dashes of its own. */
export function looksOf(subjects: readonly Subject[]): Look[] {
  return subjects.map(({ driver }, index) => {
    const spare = SPARE[index % SPARE.length] ?? RAW;
    const [light, dark] =
      driver === null ? RAW : Object.hasOwn(COLOURS, driver) ? (COLOURS[driver] ?? spare) : spare;
    return {
      light,
      dark,
      shape: SHAPES[index % SHAPES.length] ?? 'circle',
      // Another number of them, so that shape and dashes together are one of 42.
      dash: DASHES[index % DASHES.length] ?? [],
    };
  });
}
