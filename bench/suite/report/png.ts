/** The charts as PNG files, for where a page cannot be: drawn by Chart.js on a canvas without a browser. */
import type { ChartConfiguration, Plugin } from 'chart.js';
import { errorMessage, LackingHereError } from '../../../src/errors.ts';
import { makeDirectories, writeFileAtomic } from '../../../src/linux/files.ts';
import type { Subject, Unit } from '../schema.ts';
import type { Estimate } from '../statistics.ts';
import { CHART_FOLDER, markChart } from './chart-files.ts';
import type { Chart, ChartGroup } from './charts.ts';
import type { Figure } from './figures.ts';
import { type Look, looksOf } from './looks.ts';
import type { ChartFiles } from './markdown.ts';
import { marksOf, type Report } from './report.ts';
import { betterWord, isOne, oneLine, pointText, scaleText, scaleTitle, valueText } from './wording.ts';

const WIDTH = 960;
const HEIGHT = 520;
const INK = '#1b2330';
const FAINT = '#5b6675';
const LINE = '#d9dee6';

/**
 * Draws all charts into a folder. Fails with a `LackingHereError` where the library that draws them, or the canvas that it draws
 * on, is not installed.
 */
export async function drawCharts(report: Report, folder: string): Promise<ChartFiles> {
  const { ChartJSNodeCanvas } = await loadLibrary();
  const canvas = new ChartJSNodeCanvas({ width: WIDTH, height: HEIGHT, backgroundColour: 'white' });
  const looks = looksOf(report.result.subjects);
  makeDirectories(`${folder}/${CHART_FOLDER}`);
  const names = new Set<string>();
  return new Map(
    report.groups.map((group) => {
      const drawn = group.charts.flatMap((chart) => {
        if (chart.figures.every(({ values }) => values.length === 0)) return [];
        const name = `${fileName(group, chart, names)}.png`;
        const path = `${CHART_FOLDER}/${name}`;
        // The other way of this library asks the canvas for a callback, which only one of its canvases has.
        const png = canvas.renderToBufferSync(configurationOf(report, group, chart, looks));
        writeFileAtomic(`${folder}/${path}`, markChart(png, name), { mode: 0o644 });
        return [{ title: titleOf(group, chart), path }];
      });
      return [group.workload.id, drawn] as const;
    }),
  );
}

/** Loaded when charts are drawn and not before: it is half a megabyte of code and a canvas of 20. */
async function loadLibrary(): Promise<typeof import('chartjs-node-canvas')> {
  try {
    return await import('chartjs-node-canvas');
  } catch (error) {
    const why = errorMessage(error).replace(/ *Require stack:.*$/, '');
    throw new LackingHereError(
      `no charts as PNG, the rest of the report is whole: chartjs-node-canvas cannot be loaded (${why}); install it with npm install -g chartjs-node-canvas chart.js, and run tsengine bench report again`,
      error,
    );
  }
}

/** The id of the workload and what else is the same in the chart, as a file name that no id of others leads astray. */
function fileName({ workload, charts }: ChartGroup, { rest }: Chart, names: Set<string>): string {
  const point = charts.length === 1 ? [] : Object.entries(rest).map(([scale, value]) => `${scale}-${value}`);
  const plain = [workload.id, ...point]
    .join('.')
    .replaceAll(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 100);
  let name = plain;
  for (let number = 2; names.has(name); number++) name = `${plain}-${number}`;
  names.add(name);
  return name;
}

function titleOf({ workload }: ChartGroup, { rest }: Chart): string {
  return [workload.title, pointText(rest)].filter((one) => one !== '').join(', ');
}

/** More characters than this in a title or a name would leave no room for the chart. */
const LONGEST = 110;

function clipped(text: string, most: number): string {
  const line = oneLine(text);
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}

type Kind = 'line' | 'bar';

/** One subject's part of a chart. */
interface Part {
  readonly subject: Subject;
  readonly look: Look;
  readonly figures: readonly Figure[];
}

function configurationOf(
  report: Report,
  group: ChartGroup,
  chart: Chart,
  looks: readonly Look[],
): ChartConfiguration<Kind> {
  const parts = report.result.subjects.flatMap((subject, index): Part[] => {
    const figures = chart.figures.filter((figure) => figure.subject === subject && figure.values.length > 0);
    const look = looks[index];
    return figures.length === 0 || look === undefined ? [] : [{ subject, look, figures }];
  });
  return group.scale === undefined
    ? bars(report, group, chart, parts)
    : lines(report, group, group.scale, chart, parts);
}

/** The axis of the values: where its marks are, and between what it goes. */
interface Axis {
  readonly isLogarithmic: boolean;
  readonly ticks: readonly number[];
}

/** Marks at round numbers: of bytes those of computers. Values far apart are on a logarithmic axis, as on the page. */
function axisOf(parts: readonly Part[], unit: Unit): Axis {
  const ends = parts.flatMap(({ figures }) => figures.flatMap(({ median }) => [median.low, median.high]));
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const isBytes = unit === 'bytes' || unit === 'bytes/s';
  if (least > 0 && most / least > 30) {
    const base = isBytes ? 4 : 10;
    const from = Math.floor(Math.log(least) / Math.log(base));
    const to = Math.max(from + 1, Math.ceil(Math.log(most) / Math.log(base)));
    return {
      isLogarithmic: true,
      ticks: Array.from({ length: to - from + 1 }, (_, index) => base ** (from + index)),
    };
  }
  const low = Math.min(0, least);
  const span = Math.max(most, 0) - low || 1;
  const size = isBytes ? 2 ** Math.floor(Math.log2(span / 4)) : 10 ** Math.floor(Math.log10(span / 4));
  const step = size * ((isBytes ? [1, 2] : [1, 2, 2.5, 5]).find((one) => span / (one * size) <= 6) ?? 10);
  const first = Math.floor(low / step);
  const count = Math.max(1, Math.ceil(most / step) - first);
  return {
    isLogarithmic: false,
    ticks: Array.from({ length: count + 1 }, (_, index) => (first + index) * step),
  };
}

function lines(
  report: Report,
  group: ChartGroup,
  scale: string,
  chart: Chart,
  parts: readonly Part[],
): ChartConfiguration<Kind> {
  const { values, workload } = group;
  const at = ({ figures }: Part): (Figure | undefined)[] =>
    values.map((value) => figures.find(({ point }) => point[scale] === value));
  const axis = axisOf(parts, workload.unit);
  const spreads = parts.map((part) => at(part).map((figure) => figure?.median));
  return {
    type: 'line',
    data: {
      labels: values.map((value) => scaleText(scale, value)),
      datasets: parts.map((part) => ({
        label: clipped(report.name(part.subject), 40),
        data: at(part).map((figure) => figure?.median.value ?? null),
        borderColor: part.look.light,
        backgroundColor: part.look.light,
        borderDash: [...part.look.dash],
        pointStyle: part.look.shape,
        pointRadius: 5,
        pointBorderWidth: 2,
        borderWidth: 2,
        spanGaps: true,
      })),
    },
    options: {
      ...head(group, chart, axis, true),
      scales: {
        x: {
          title: { display: true, text: scaleTitle(scale), color: FAINT },
          ticks: { color: FAINT },
          grid: { display: false },
        },
        y: valueAxis(workload.unit, axis),
      },
    },
    plugins: [whiskers(spreads, false)],
  };
}

function bars(
  report: Report,
  group: ChartGroup,
  chart: Chart,
  parts: readonly Part[],
): ChartConfiguration<Kind> {
  const figures = parts.flatMap((part) => part.figures.slice(0, 1));
  const { unit } = group.workload;
  const axis = axisOf(parts, unit);
  const name = (part: Part, figure: Figure): string =>
    `${clipped(report.name(part.subject), 40)}: ${valueText(figure.median.value, unit)}${marksOf(figure)}`;
  return {
    type: 'bar',
    data: {
      labels: parts.flatMap((part) => part.figures.slice(0, 1).map((figure) => name(part, figure))),
      datasets: [
        {
          data: figures.map(({ median }) => median.value),
          // Pale where there are too few values for an interval of 95 %, as on the page.
          backgroundColor: parts.flatMap(({ look, figures: own }) =>
            own.slice(0, 1).map(({ isFew }) => `${look.light}${isFew ? '55' : ''}`),
          ),
          borderColor: parts.map(({ look }) => look.light),
          borderWidth: 1,
          maxBarThickness: 34,
        },
      ],
    },
    options: {
      ...head(group, chart, axis, false),
      indexAxis: 'y',
      scales: {
        x: valueAxis(unit, axis),
        y: { ticks: { color: INK, autoSkip: false }, grid: { display: false } },
      },
    },
    plugins: [whiskers([figures.map(({ median }) => median)], true)],
  };
}

function head(
  group: ChartGroup,
  chart: Chart,
  { isLogarithmic }: Axis,
  hasLegend: boolean,
): NonNullable<ChartConfiguration<Kind>['options']> {
  return {
    layout: { padding: { left: 12, right: 24, top: 8, bottom: 8 } },
    plugins: {
      title: { display: true, text: clipped(titleOf(group, chart), LONGEST), color: INK, font: { size: 17 } },
      subtitle: {
        display: true,
        text: clipped(
          `${group.workload.id}, ${betterWord(group.workload)}; medians with their 95 % intervals${isLogarithmic ? ', on a logarithmic axis' : ''}`,
          LONGEST,
        ),
        color: FAINT,
        padding: { bottom: 10 },
      },
      legend: {
        display: hasLegend,
        position: 'bottom',
        labels: { usePointStyle: true, color: INK, boxWidth: 12 },
      },
    },
  };
}

function valueAxis(unit: Unit, { isLogarithmic, ticks }: Axis) {
  const rest = {
    min: ticks[0] ?? 0,
    max: ticks.at(-1) ?? 1,
    grid: { color: LINE },
    ticks: {
      color: FAINT,
      autoSkip: true,
      maxTicksLimit: 10,
      callback: (value: string | number): string => axisText(Number(value), unit),
    },
    afterBuildTicks: (axis: { ticks: { value: number }[] }): void => {
      axis.ticks = ticks.map((value) => ({ value }));
    },
  };
  return isLogarithmic ? ({ type: 'logarithmic', ...rest } as const) : ({ type: 'linear', ...rest } as const);
}

/** A round number, without the digits that a measured one has. */
function axisText(value: number, unit: Unit): string {
  return valueText(value, unit)
    .replace(/(\.\d*?)0+(?=\D|$)/, '$1')
    .replace(/\.(?=\D|$)/, '');
}

/** Draws the interval of each figure over its point or bar. */
function whiskers(spreads: readonly (readonly (Estimate | undefined)[])[], isFlat: boolean): Plugin<Kind> {
  return {
    id: 'whiskers',
    afterDatasetsDraw: (chart) => {
      const { ctx } = chart;
      const axis = chart.scales[isFlat ? 'x' : 'y'];
      if (axis === undefined) return;
      ctx.save();
      for (const [index, list] of spreads.entries()) {
        const color = chart.data.datasets[index]?.borderColor;
        ctx.strokeStyle = isFlat || typeof color !== 'string' ? INK : color;
        for (const [place, spread] of list.entries()) {
          const mark = chart.getDatasetMeta(index).data[place];
          if (mark === undefined || spread === undefined || isOne(spread)) continue;
          const [low, high] = [axis.getPixelForValue(spread.low), axis.getPixelForValue(spread.high)];
          ctx.beginPath();
          if (isFlat) {
            ctx.moveTo(low, mark.y);
            ctx.lineTo(high, mark.y);
            for (const end of [low, high]) {
              ctx.moveTo(end, mark.y - 5);
              ctx.lineTo(end, mark.y + 5);
            }
          } else {
            ctx.moveTo(mark.x, low);
            ctx.lineTo(mark.x, high);
          }
          // Light around it, for where it lies on a dark bar.
          const { strokeStyle } = ctx;
          if (isFlat) {
            ctx.strokeStyle = 'rgba(255, 255, 255, 0.75)';
            ctx.lineWidth = 4;
            ctx.stroke();
          }
          ctx.strokeStyle = strokeStyle;
          ctx.lineWidth = 1.5;
          ctx.stroke();
        }
      }
      ctx.restore();
    },
  };
}
