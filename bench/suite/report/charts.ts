/** Which charts a result gives: one for each workload, and one each for the values of its other scales. */
import { contrastOf } from '../compare/contrast.ts';
import type { Workload } from '../schema.ts';
import type { Estimate } from '../statistics.ts';
import { comparePoints, type Figure, type Figures, type Point, pointKey, worths } from './figures.ts';

/** One chart: every subject along one scale, everything else the same. */
export interface Chart {
  /** What differs between the charts of a workload: `{"depth": 10}`. */
  readonly rest: Point;
  readonly figures: readonly Figure[];
}

/** All of a workload. */
export interface ChartGroup {
  readonly workload: Workload;
  /** The scale along which the charts go; undefined where there is one value of each. */
  readonly scale: string | undefined;
  /** The values of that scale, in order. */
  readonly values: readonly number[];
  readonly charts: readonly Chart[];
}

/** The charts of each workload that has figures, in the order of the result. */
export function chartsOf(figures: Figures): ChartGroup[] {
  return figures.result.workloads.flatMap((workload) => {
    const list = figures.result.subjects.flatMap(({ id }) => figures.of(id, workload.id));
    return list.length === 0 ? [] : [groupOf(workload, list)];
  });
}

function groupOf(workload: Workload, list: readonly Figure[]): ChartGroup {
  const scales = [...new Set(list.flatMap(({ point }) => Object.keys(point)))];
  const valuesOf = (scale: string): number[] =>
    [...new Set(list.flatMap(({ point }) => point[scale] ?? []))].sort((a, b) => a - b);
  // Along the scale of most values: the others would be charts of two points each.
  const [scale] = scales
    .filter((one) => valuesOf(one).length > 1)
    .toSorted((a, b) => valuesOf(b).length - valuesOf(a).length);
  const charts = new Map<string, { rest: Point; figures: Figure[] }>();
  for (const figure of list) {
    const rest = Object.fromEntries(Object.entries(figure.point).filter(([name]) => name !== scale));
    const chart = charts.get(pointKey(rest)) ?? { rest, figures: [] };
    charts.set(pointKey(rest), chart);
    chart.figures.push(figure);
  }
  return {
    workload,
    scale,
    values: scale === undefined ? [] : valuesOf(scale),
    charts: [...charts.values()].sort((a, b) => comparePoints(a.rest, b.rest)),
  };
}

/**
 * A figure as a multiple of that of the raw filesystem beneath its subject, at the same point. Undefined for the raw filesystem
 * itself, and where it was not measured.
 */
export function toRaw(figures: Figures, figure: Figure): Estimate | undefined {
  const { baseline } = figure.subject;
  const raw = baseline === null ? undefined : figures.at(baseline, figure.workload.id, figure.point);
  if (raw === undefined) return undefined;
  const isLess = figure.workload.better === 'less';
  const [own, other] = [worths(figure), worths(raw)];
  return contrastOf([isLess ? { values: other, baseline: own } : { values: own, baseline: other }])?.ratio;
}
