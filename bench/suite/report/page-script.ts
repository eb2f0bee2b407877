/**
 * What the page does: it draws the charts, shows a figure under the pointer or the arrow keys, gives the command that measures
 * it again, and hides other groups and subjects. The address keeps what is shown (`#group=copy-up&hidden=raw@ext4`), so that a link leads to
 * it. All text of others comes in as text, never as markup.
 */
export const PAGE_SCRIPT: string = `
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const tip = document.getElementById('tip');
const hidden = new Set();
let group = '';
const SVG = 'http://www.w3.org/2000/svg';
function draw(parent, tag, attributes, words) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (words !== undefined) element.textContent = words;
  parent.append(element);
  return element;
}
const around = (x, y, r, points) => 'M' + points.map(([a, b]) => (x + r * a) + ' ' + (y + r * b)).join('L') + 'Z';
const SHAPES = {
  circle: (x, y, r) => 'M' + (x - r) + ' ' + y + 'a' + r + ' ' + r + ' 0 1 0 ' + 2 * r + ' 0a' + r + ' ' + r + ' 0 1 0 ' + -2 * r + ' 0Z',
  rect: (x, y, r) => around(x, y, r * 0.9, [[-1, -1], [1, -1], [1, 1], [-1, 1]]),
  triangle: (x, y, r) => around(x, y, r * 1.2, [[0, -1], [0.9, 0.7], [-0.9, 0.7]]),
  rectRot: (x, y, r) => around(x, y, r * 1.25, [[0, -1], [1, 0], [0, 1], [-1, 0]]),
  cross: (x, y, r) => 'M' + (x - r) + ' ' + y + 'H' + (x + r) + 'M' + x + ' ' + (y - r) + 'V' + (y + r),
  crossRot: (x, y, r) => 'M' + (x - r) + ' ' + (y - r) + 'l' + 2 * r + ' ' + 2 * r + 'm0 ' + -2 * r + 'l' + -2 * r + ' ' + 2 * r,
  star: (x, y, r) => SHAPES.cross(x, y, r) + SHAPES.crossRot(x, y, r * 0.75),
};
function sign(parent, subject, x, y, r) {
  const { shape } = data.subjects[subject];
  const open = shape === 'cross' || shape === 'crossRot' || shape === 'star';
  const style = 'stroke:var(--s' + subject + ');fill:' + (open ? 'none' : 'var(--s' + subject + ')');
  return draw(parent, 'path', { d: SHAPES[shape](x, y, r), style, 'stroke-width': open ? 2 : 1 });
}
function short(value, unit) {
  const size = Math.abs(value);
  const trim = (number) => String(Number(number.toPrecision(3)));
  if (unit === 'bytes' || unit === 'bytes/s') {
    const power = size < 1024 ? 0 : Math.min(5, Math.floor(Math.log2(size) / 10));
    return trim(value / 1024 ** power) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power] + (unit === 'bytes' ? '' : '/s');
  }
  if (unit === 'ms') {
    if (size >= 1000) return trim(value / 1000) + ' s';
    return size > 0 && size < 1 ? trim(value * 1000) + ' µs' : trim(value) + ' ms';
  }
  const count = size >= 1e6 ? trim(value / 1e6) + 'M' : size >= 1000 ? trim(value / 1000) + 'k' : trim(value);
  return count + (unit === 'ops/s' ? '/s' : '');
}
function axis(rows, unit) {
  const values = rows.flatMap((row) => [row.low, row.high, row.value]);
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (least > 0 && most / least > 30) {
    const base = unit === 'bytes' || unit === 'bytes/s' ? 4 : 10;
    const from = Math.floor(Math.log(least) / Math.log(base));
    const to = Math.max(from + 1, Math.ceil(Math.log(most) / Math.log(base)));
    const step = Math.ceil((to - from) / 6);
    const ticks = [];
    for (let power = from; power <= to; power += step) ticks.push(base ** power);
    const [low, high] = [from * Math.log(base), to * Math.log(base)];
    return { ticks, at: (value) => (Math.log(Math.max(value, base ** from)) - low) / (high - low), log: true };
  }
  const low = Math.min(0, least);
  const span = most - low || 1;
  const bytes = unit === 'bytes' || unit === 'bytes/s';
  const unitSize = bytes ? 2 ** Math.floor(Math.log2(span / 4)) : 10 ** Math.floor(Math.log10(span / 4));
  const step = (bytes ? [1, 2] : [1, 2, 2.5, 5, 10]).map((one) => one * unitSize).find((one) => span / one <= 5) ?? unitSize * 10;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick < most + step; tick += step) ticks.push(tick);
  const [bottom, top] = [Math.min(low, ticks[0]), Math.max(most, ticks.at(-1))];
  return { ticks, at: (value) => (value - bottom) / (top - bottom || 1), log: false };
}
function clip(words, length) {
  return words.length <= length ? words : words.slice(0, Math.max(1, length - 1)) + '…';
}
function lines(svg, workload, rows, width) {
  const [left, right, top, bottom] = [66, width - 16, 12, 222];
  svg.setAttribute('viewBox', '0 0 ' + width + ' 262');
  const { ticks, at, log } = axis(rows, workload.unit);
  const y = (value) => bottom - at(value) * (bottom - top);
  for (const tick of ticks) {
    draw(svg, 'line', { x1: left, x2: right, y1: y(tick), y2: y(tick), class: 'grid' });
    draw(svg, 'text', { x: left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, short(tick, workload.unit));
  }
  const gap = (right - left - 24) / Math.max(1, workload.values.length - 1);
  const x = (value) => left + 12 + workload.values.indexOf(value) * gap;
  // Beside one another, so that an interval does not lie on another one.
  const shown = [...new Set(rows.map((row) => row.subject))];
  const step = Math.min(4, (0.5 * gap) / shown.length, 22 / shown.length);
  const beside = (row) => x(row.x) + (shown.indexOf(row.subject) - (shown.length - 1) / 2) * step;
  const every = Math.max(1, Math.ceil(54 / gap));
  workload.values.forEach((value, index) => {
    if (index % every === 0) draw(svg, 'text', { x: x(value), y: bottom + 17, 'text-anchor': 'middle' }, workload.labels[index]);
  });
  draw(svg, 'text', { x: (left + right) / 2, y: bottom + 35, 'text-anchor': 'middle', class: 'title' }, workload.scale + (log ? ' (the other axis is logarithmic)' : ''));
  const marks = [];
  for (const subject of shown) {
    const own = rows.filter((row) => row.subject === subject).sort((a, b) => a.x - b.x);
    const style = 'stroke:var(--s' + subject + ')';
    draw(svg, 'polyline', {
      points: own.map((row) => beside(row) + ',' + y(row.value)).join(' '), class: 'line', style,
      'stroke-dasharray': data.subjects[subject].dash.join(' '),
    });
    for (const row of own) {
      if (row.known) draw(svg, 'line', { x1: beside(row), x2: beside(row), y1: y(row.low), y2: y(row.high), class: 'whisker', style });
      sign(svg, subject, beside(row), y(row.value), 4.5);
      marks.push({ row, x: beside(row), y: y(row.value) });
    }
  }
  return marks;
}
function bars(svg, workload, rows, width) {
  const [left, end, step] = [Math.min(160, width * 0.36), width - 84, 30];
  svg.setAttribute('viewBox', '0 0 ' + width + ' ' + (rows.length * step + 30));
  const { ticks, at, log } = axis(rows, workload.unit);
  const x = (value) => left + at(value) * (end - left);
  const foot = rows.length * step + 4;
  ticks.forEach((tick, index) => {
    draw(svg, 'line', { x1: x(tick), x2: x(tick), y1: 2, y2: foot, class: 'grid' });
    const every = Math.ceil(72 / ((end - left) / Math.max(1, ticks.length - 1)));
    if (index % every === 0) draw(svg, 'text', { x: x(tick), y: foot + 16, 'text-anchor': 'middle' }, short(tick, workload.unit));
  });
  if (log) draw(svg, 'text', { x: 0, y: foot + 16, class: 'title' }, 'logarithmic');
  return rows.map((row, index) => {
    const middle = index * step + step / 2 + 2;
    const style = 'stroke:var(--s' + row.subject + ')';
    sign(svg, row.subject, 8, middle, 4.5);
    draw(svg, 'text', { x: 20, y: middle + 4, class: 'name' }, clip(data.subjects[row.subject].name, Math.floor((left - 26) / 6.9)));
    if (log) {
      draw(svg, 'line', { x1: left, x2: x(row.value), y1: middle, y2: middle, class: 'line', style, 'stroke-dasharray': data.subjects[row.subject].dash.join(' ') });
      sign(svg, row.subject, x(row.value), middle, 4.5);
    } else {
      const [from, to] = [Math.min(x(0), x(row.value)), Math.max(x(0), x(row.value))];
      draw(svg, 'rect', { x: from, y: middle - 8, width: Math.max(1, to - from), height: 16, style: 'fill:var(--s' + row.subject + ');stroke:var(--s' + row.subject + ')', class: row.marks.includes('*') ? 'bar few' : 'bar' });
    }
    for (const layer of row.known ? ['whisker under', 'whisker over'] : []) {
      draw(svg, 'line', { x1: x(row.low), x2: x(row.high), y1: middle, y2: middle, class: layer });
      for (const edge of [row.low, row.high]) draw(svg, 'line', { x1: x(edge), x2: x(edge), y1: middle - 5, y2: middle + 5, class: layer });
    }
    draw(svg, 'text', { x: width - 2, y: middle + 4, 'text-anchor': 'end' }, short(row.value, workload.unit) + row.marks);
    return { row, x: x(row.value), y: middle };
  });
}
function factor(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value < 0.095 ? 3 : 2);
}
const plural = (count, word) => count + ' ' + word + (count === 1 ? '' : 's');
// Values as people read them are in the table of the card.
function rowsOf(card, chart) {
  const lines = card.querySelectorAll('.figures tbody tr');
  return chart
    .map(([subject, x, line, value, low, high, samples, turns, raw, rawLow, rawHigh]) => {
      const cell = lines[line].querySelector('[data-subject="' + subject + '"]');
      const said = cell.querySelector('b').textContent;
      const text = said.replace(/[*~]+$/, '');
      return {
        subject, x, value, low, high, text: text + ' (' + cell.querySelector('small').textContent + ')', marks: said.slice(text.length),
        // Of one value there is no interval.
        known: turns > 1,
        samples: plural(samples, 'sample') + (samples === turns ? '' : ' in ' + plural(turns, 'turn')),
        raw: raw === undefined ? '' : factor(raw) + ' times (' + (rawLow === rawHigh ? 'one value each' : factor(rawLow) + ' to ' + factor(rawHigh)) + ')',
      };
    })
    .filter((row) => !hidden.has(row.subject));
}
function swatch(svg, subject) {
  draw(svg, 'line', { x1: 0, x2: 34, y1: 8, y2: 8, class: 'line', style: 'stroke:var(--s' + subject + ')', 'stroke-dasharray': data.subjects[subject].dash.join(' ') });
  sign(svg, subject, 17, 8, 4.5);
}
function legend(subjects) {
  const list = Object.assign(document.createElement('div'), { className: 'legend' });
  for (const subject of subjects) {
    const entry = document.createElement('span');
    swatch(draw(entry, 'svg', { viewBox: '0 0 34 16', 'aria-hidden': 'true' }), subject);
    entry.append(clip(data.subjects[subject].name, 40));
    list.append(entry);
  }
  return list;
}
function paint(card) {
  const workload = data.workloads[Number(card.dataset.workload)];
  const chart = workload.charts[Number(card.querySelector('select')?.value ?? 0)];
  const plot = card.querySelector('.plot');
  const rows = rowsOf(card, chart);
  const width = Math.max(280, Math.min(900, plot.clientWidth || 640));
  plot.replaceChildren();
  card.marks = [];
  if (rows.length === 0) {
    plot.append(Object.assign(document.createElement('p'), { className: 'faint', textContent: 'Nothing of what is shown was measured here.' }));
    return;
  }
  const svg = draw(plot, 'svg', { tabindex: '0', role: 'img', 'aria-label': card.querySelector('h3').textContent + ': arrow keys go from figure to figure' });
  card.marks = workload.scale === '' ? bars(svg, workload, rows, width) : lines(svg, workload, rows, width);
  if (workload.scale !== '') plot.append(legend(new Set(rows.map((row) => row.subject))));
  card.halo = draw(svg, 'circle', { r: 9, class: 'halo', visibility: 'hidden' });
}
function show(card, mark) {
  const svg = card.querySelector('svg');
  if (!mark) {
    tip.hidden = true;
    card.halo?.setAttribute('visibility', 'hidden');
    return;
  }
  const { row } = mark;
  const workload = data.workloads[Number(card.dataset.workload)];
  card.halo.setAttribute('cx', mark.x);
  card.halo.setAttribute('cy', mark.y);
  card.halo.setAttribute('visibility', 'visible');
  const said = [
    clip(data.subjects[row.subject].name, 80) + (workload.scale === '' ? '' : ', ' + workload.scale + ' ' + workload.labels[workload.values.indexOf(row.x)]),
    row.text,
    row.samples + (row.marks.includes('*') ? ', too few for 95 %' : '') + (row.marks.includes('~') ? ', some disturbed' : ''),
    row.raw === '' ? '' : row.raw + ' the raw filesystem',
    'Click for the command that repeats it.',
  ].filter((one) => one !== '');
  tip.replaceChildren(...said.map((words, index) => Object.assign(document.createElement(index < 2 ? 'b' : 'span'), { textContent: words })));
  tip.hidden = false;
  const box = svg.getBoundingClientRect();
  const scale = box.width / svg.viewBox.baseVal.width;
  const [x, y] = [box.left + mark.x * scale, box.top + mark.y * scale];
  tip.style.left = Math.max(8, Math.min(innerWidth - tip.offsetWidth - 8, x - tip.offsetWidth / 2)) + 'px';
  tip.style.top = (y > tip.offsetHeight + 24 ? y - tip.offsetHeight - 14 : y + 18) + 'px';
}
function nearest(card, event) {
  const svg = card.querySelector('svg');
  if (!svg || !svg.contains(event.target)) return undefined;
  const box = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / box.width;
  const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  // A bar is hit anywhere along it.
  const flat = data.workloads[Number(card.dataset.workload)].scale === '';
  const far = (mark) => (flat ? Math.abs(mark.y - y) * 3 : Math.hypot(mark.x - x, mark.y - y));
  const [best] = [...card.marks].sort((a, b) => far(a) - far(b));
  return best && far(best) < 60 ? best : undefined;
}
function again(card, mark) {
  if (!mark) return;
  const output = card.querySelector('output');
  output.hidden = false;
  output.querySelector('span').textContent = data.subjects[mark.row.subject].name + ' again: ';
  output.querySelector('code').textContent = data.subjects[mark.row.subject].again + data.workloads[Number(card.dataset.workload)].word;
}
// Which subject a cell is of stands above it.
for (const table of document.querySelectorAll('.figures')) {
  const heads = [...table.tHead.rows[0].cells];
  for (const line of table.tBodies[0].rows) heads.forEach((head, index) => { if (head.dataset.subject) line.cells[index].dataset.subject = head.dataset.subject; });
}
const cards = [...document.querySelectorAll('.card')];
for (const card of cards) {
  card.addEventListener('pointermove', (event) => show(card, nearest(card, event)));
  card.addEventListener('pointerleave', () => show(card));
  card.addEventListener('focusout', () => show(card));
  card.addEventListener('click', (event) => {
    const mark = nearest(card, event);
    show(card, mark);
    again(card, mark);
  });
  card.querySelector('select')?.addEventListener('change', () => paint(card));
  card.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.target.tagName !== 'svg' || !card.marks.length) return;
    if (event.key === 'Enter') again(card, card.marks[card.at ?? 0]);
    if (event.key === 'Escape') show(card);
    if (!step) return;
    event.preventDefault();
    card.at = ((card.at ?? (step > 0 ? -1 : 0)) + step + card.marks.length) % card.marks.length;
    show(card, card.marks[card.at]);
  });
}
// Only what can be seen is drawn: a full result has a hundred charts.
const due = new Set();
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting || !due.delete(target)) continue;
    paint(target);
  }
}, { rootMargin: '600px' });
for (const card of cards) seen.observe(card);
function repaint() {
  show(cards[0] ?? document.body);
  for (const card of cards) {
    due.add(card);
    seen.unobserve(card);
    seen.observe(card);
  }
}
function apply() {
  for (const section of document.querySelectorAll('[data-group]')) section.hidden = group !== '' && section.dataset.group !== group;
  for (const cell of document.querySelectorAll('[data-subject]')) cell.hidden = hidden.has(Number(cell.dataset.subject));
  for (const input of document.querySelectorAll('input[name=group]')) input.checked = input.value === group;
  for (const input of document.querySelectorAll('input[name=subject]')) input.checked = !hidden.has(Number(input.value));
  repaint();
}
function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const groups = [...document.querySelectorAll('input[name=group]')].map((input) => input.value);
  group = groups.includes(wanted.get('group')) ? wanted.get('group') : '';
  hidden.clear();
  for (const id of wanted.getAll('hidden')) {
    const index = data.subjects.findIndex((subject) => subject.id === id);
    if (index >= 0) hidden.add(index);
  }
  apply();
}
document.querySelector('.filters').addEventListener('change', (event) => {
  const { name, value, checked } = event.target;
  if (name === 'group') group = value;
  else if (checked) hidden.delete(Number(value));
  else hidden.add(Number(value));
  const chosen = new URLSearchParams(group === '' ? [] : [['group', group]]);
  for (const index of [...hidden].sort((a, b) => a - b)) chosen.append('hidden', data.subjects[index].id);
  try {
    history.replaceState(null, '', String(chosen) === '' ? location.pathname + location.search : '#' + chosen);
  } catch {
    // A page from an attachment has no history to write to.
  }
  apply();
});
for (const place of document.querySelectorAll('svg[data-swatch]')) {
  swatch(place, Number(place.dataset.swatch));
}
addEventListener('hashchange', fromAddress);
addEventListener('resize', repaint);
addEventListener('scroll', () => { tip.hidden = true; }, { passive: true });
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
  for (const card of cards) paint(card);
  due.clear();
});
fromAddress();
`;
