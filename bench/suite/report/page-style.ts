/** The looks of the page: light and dark, on a phone, on paper. Words and shapes say the same as every colour. */
export const PAGE_STYLE: string = `
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #fff; --ink: #1b2330; --faint: #5b6675; --line: #d9dee6; --accent: #2456c9;
  --yes: #dcf3f0; --yes-ink: #0b5a4d; --no: #fde6d8; --no-ink: #8a3a00; --open: #e9edf3; --open-ink: #4a5565;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161d; --card: #1b212b; --ink: #e6ebf2; --faint: #9aa6b6; --line: #323b49; --accent: #8ab0ff;
    --yes: #123d38; --yes-ink: #86e0cf; --no: #4a2812; --no-ink: #ffbd92; --open: #262d38; --open-ink: #aab5c4;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 82rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; } h3 { font-size: 1rem; margin: 0; line-height: 1.35; }
h1, h2, h3, p, li, td, th, dd, dt, label, option { overflow-wrap: anywhere; }
p { margin: .35rem 0; }
code { font: .85rem/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
.faint { color: var(--faint); font-size: .9rem; }
.command { display: block; color: var(--ink); margin-top: .25rem; }
.cautions { margin: 1rem 0; padding: .75rem 1rem .75rem 2rem; background: var(--no); color: var(--no-ink); border-radius: .5rem; }
.panel { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.25rem; }
.advice { margin: 0; } .advice > div { display: grid; grid-template-columns: 19rem 1fr; gap: 0 1.25rem; padding: .35rem 0; border-bottom: 1px solid var(--line); }
.advice > div:last-child { border: 0; } .advice dt { font-weight: 600; } .advice dd { margin: 0; display: grid; grid-template-columns: 11.5rem 1fr auto; gap: 0 1rem; align-items: start; }
.advice p { margin: 0; font-size: .92em; } .advice .verdict { justify-self: start; white-space: normal; overflow-wrap: anywhere; } .advice .again[open] { grid-column: 1 / -1; } .advice .plain { grid-template-columns: 1fr auto; }
.again { margin: 0; } .again summary { font-size: .8rem; color: var(--faint); }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; font-size: .88rem; }
th, td { padding: .35rem .75rem .35rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
.claims td { font-size: .92rem; } .claims ul { margin: 0; padding: 0; list-style: none; } .claims li { padding-left: 1.3rem; text-indent: -1.3rem; } .claims .is-no { color: var(--no-ink); } .claims .is-yes { color: var(--yes-ink); } .claims .is-open { color: var(--faint); } .claims { table-layout: fixed; }
.claims th:nth-child(1) { width: 2rem; } .claims th:nth-child(2) { width: 21%; } .claims th:nth-child(3) { width: 13.5rem; } .claims th:nth-child(4) { width: 36%; }
.verdict { display: inline-block; white-space: nowrap; border-radius: .35rem; padding: .05rem .5rem; font-weight: 600; font-size: .88rem; }
.holds { background: var(--yes); color: var(--yes-ink); } .maybe { border: 1px dashed var(--yes-ink); color: var(--yes-ink); } .fails { background: var(--no); color: var(--no-ink); } .open { background: var(--open); color: var(--open-ink); }
.filters { margin: 1rem 0 0; }
.filters fieldset { border: 0; margin: .6rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; min-width: 0; }
.filters legend { float: left; padding: 0; margin-right: .4rem; color: var(--faint); }
.filters label { display: inline-flex; gap: .45rem; align-items: center; border: 1px solid var(--line); background: var(--card); border-radius: 2rem;
  padding: .25rem .8rem; cursor: pointer; max-width: 100%; overflow-wrap: anywhere; }
.filters input { position: absolute; opacity: 0; pointer-events: none; }
.filters label:has([name=group]:checked) { background: var(--accent); border-color: var(--accent); color: var(--card); }
.filters label:has([name=subject]:not(:checked)) { opacity: .55; text-decoration: line-through; }
.filters label:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
.filters svg { width: 34px; height: 16px; flex: none; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem; align-items: start; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: .9rem 1.1rem; min-width: 0; }
.card label { display: inline-flex; gap: .5rem; align-items: center; font-size: .9rem; max-width: 100%; }
.card select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .35rem; padding: .1rem .3rem; max-width: 100%; min-width: 0; }
.plot { margin-top: .5rem; min-height: 4rem; } .plot > svg { display: block; width: 100%; height: auto; touch-action: pan-y; } .legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .8em; } .legend span { display: inline-flex; gap: .35rem; align-items: center; overflow-wrap: anywhere; } .legend svg { width: 34px; height: 16px; flex: none; }
.plot > svg:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: .25rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--faint); } svg .name { fill: var(--ink); } svg .title { font-size: 11.5px; }
.grid { stroke: var(--line); } .line { fill: none; stroke-width: 2; stroke-linejoin: round; } .whisker { stroke-width: 1.5; opacity: .8; }
.whisker.under { stroke: var(--card); stroke-width: 4.5; opacity: .7; } .whisker.over { stroke: var(--ink); opacity: 1; } .bar { opacity: .85; } .few { fill-opacity: .25; stroke-dasharray: 3 2; } .halo { fill: none; stroke: var(--ink); stroke-width: 2; }
output { display: block; margin-top: .4rem; font-size: .88rem; overflow-wrap: anywhere; }
details { margin-top: .5rem; } summary { cursor: pointer; color: var(--accent); font-size: .92rem; }
.scroll { overflow-x: auto; margin-top: .4rem; }
.figures { font-variant-numeric: tabular-nums; } .figures th, .figures td { font-size: .84rem; padding: .25rem .9rem .25rem 0; min-width: 5rem; overflow-wrap: normal; }
.figures small { display: block; color: var(--faint); white-space: nowrap; } .figures b { white-space: nowrap; font-weight: 600; }
.figures th { max-width: 14rem; overflow-wrap: anywhere; } .figures .failed { color: var(--no-ink); overflow-wrap: anywhere; min-width: 9rem; }
.facts th, .facts td { font-size: .86rem; min-width: 4.5rem; } .machines { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; margin-top: 1rem; }
#tip { position: fixed; z-index: 2; pointer-events: none; max-width: min(22rem, calc(100vw - 16px)); background: var(--ink); color: var(--paper); border-radius: .5rem;
  padding: .5rem .75rem; font-size: .86rem; line-height: 1.4; overflow-wrap: anywhere; } #tip b, #tip span { display: block; }
[hidden] { display: none !important; }
@media (max-width: 44rem) {
  main { padding: 1rem .75rem 3rem; } h1 { font-size: 1.35rem; } .panel, .card { padding: .75rem; }
  .advice > div, .advice dd { display: block; } .advice .verdict { margin: .15rem 0; }
  .claims, .claims tbody { display: block; } .claims thead { display: none; }
  .claims tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .claims td, .claims td:nth-child(n) { display: block; width: auto; border: 0; padding: .1rem 0; } .claims td:first-child, .claims td:nth-child(2) { display: inline; } .claims td:first-child { margin-right: .4rem; color: var(--faint); }
  .claims td:nth-child(2) { font-weight: 600; } .claims td:nth-child(5)::before { content: 'What would change it: '; color: var(--faint); }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --faint: #444; --line: #bbb; --accent: #000;
    --yes: #dcf3f0; --yes-ink: #0b5a4d; --no: #fde6d8; --no-ink: #8a3a00; --open: #e9edf3; --open-ink: #4a5565; }
  body { font-size: 10pt; } main { padding: 0; max-width: none; } #tip, .filters label:has([name=group]), .filters fieldset:has([name=group]), summary, output { display: none !important; }
  .card select { appearance: none; border: 0; padding: 0; }
  .cards { grid-template-columns: 1fr 1fr; gap: .5rem; } .card:has(.wide) { grid-column: 1 / -1; } .plot { max-width: 38rem; } .claims .faint { font-size: inherit; }
  .card, .panel { padding: .5rem; } .card, tr, li, .advice > div { break-inside: avoid; } .scroll { overflow: visible; }
  .figures th, .figures td { font-size: 6.5pt; min-width: 0; padding: .1rem .3rem .1rem 0; overflow-wrap: anywhere; } .figures b, .figures small { white-space: normal; }
  .advice > div { grid-template-columns: 11rem 1fr; } .advice dd { grid-template-columns: 8rem 1fr; } .advice .again { grid-column: 1 / -1; }
  .claims th:nth-child(3) { width: 6rem; } .verdict { white-space: normal; font-size: 7.5pt; } .claims th { font-size: 8pt; }
  .claims td, .facts td, .facts th { font-size: 8pt; min-width: 0; } code { font-size: 7.5pt; } h2 { break-after: avoid; }
  * { print-color-adjust: exact; }
}
`;
