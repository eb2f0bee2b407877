/** The looks of the page: light and dark, on a phone, on paper. Words and signs say the same as every colour. */
export const PAGE_STYLE: string = `
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #fff; --ink: #1b2330; --faint: #5b6675; --line: #d9dee6; --accent: #2456c9;
  --works: #e2f5e8; --works-ink: #14632f; --limited: #fff1d0; --limited-ink: #7a4d00; --refused: #e4eaf6;
  --refused-ink: #31466f; --failed: #fde1e1; --failed-ink: #9c1717; --unavailable: #eceff3; --unavailable-ink: #5b6675;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161d; --card: #1b212b; --ink: #e6ebf2; --faint: #9aa6b6; --line: #323b49; --accent: #8ab0ff;
    --works: #163b25; --works-ink: #8fe3ad; --limited: #433310; --limited-ink: #ffd27a; --refused: #26324a;
    --refused-ink: #b4c7f0; --failed: #4d1a1d; --failed-ink: #ffaaaa; --unavailable: #262d38; --unavailable-ink: #9aa6b6;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .35rem 0; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; }
.faint { color: var(--faint); font-size: .9rem; }
.command { display: block; overflow-wrap: anywhere; color: var(--ink); margin-top: .25rem; }
.legend { display: flex; flex-wrap: wrap; gap: .35rem 1.25rem; margin: 1rem 0; padding: 0; list-style: none; font-size: .9rem; }
.legend b { font-weight: 600; padding: 0 .4rem; border-radius: .3rem; }
.filter { border: 0; margin: 1rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.filter legend { float: left; padding: 0; margin-right: .5rem; color: var(--faint); }
.filter label { border: 1px solid var(--line); background: var(--card); border-radius: 2rem; padding: .3rem .9rem; cursor: pointer; }
.filter input { position: absolute; opacity: 0; }
.filter label:has(:checked) { background: var(--accent); border-color: var(--accent); color: var(--card); }
.filter label:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
.kernel { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.25rem; margin: 1rem 0; }
.error { background: var(--failed); color: var(--failed-ink); border-radius: .4rem; padding: .5rem .75rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin-top: .75rem; }
table { border-collapse: separate; border-spacing: .25rem; width: 100%; }
th { text-align: left; font-weight: 600; font-size: .9rem; padding: .2rem .35rem; white-space: nowrap; }
thead th { color: var(--faint); }
td { padding: 0; } .matrix { table-layout: fixed; min-width: 54rem; } .matrix thead th:first-child { width: 8rem; }
.cell { width: 100%; border: 0; border-radius: .45rem; padding: .4rem .5rem; text-align: left; font: inherit; font-size: .88rem;
  line-height: 1.3; cursor: pointer; color: inherit; }
.cell small { display: block; font-size: .78rem; opacity: .85; }
.cell:hover { filter: brightness(.96); } .cell:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; }
.works { background: var(--works); color: var(--works-ink); } .limited { background: var(--limited); color: var(--limited-ink); }
.refused { background: var(--refused); color: var(--refused-ink); } .failed { background: var(--failed); color: var(--failed-ink); }
.unavailable { background: var(--unavailable); color: var(--unavailable-ink); }
details { margin-top: .75rem; } summary { cursor: pointer; color: var(--accent); }
.features { width: auto; border-spacing: 0; } .features td, .features th { border-bottom: 1px solid var(--line); padding: .25rem .75rem .25rem 0;
  font-size: .88rem; min-width: 4rem; }
.features th { font-weight: 400; } .features thead th { font-weight: 600; }
.yes { color: var(--works-ink); } .no, .died { color: var(--failed-ink); } .died { font-weight: 600; } .unknown { color: var(--faint); }
.answer { background: none; border: 0; padding: 0; font: inherit; cursor: pointer; text-decoration: underline dotted; }
.reasons li { margin: .5rem 0; overflow-wrap: anywhere; } .reasons .where { color: var(--faint); font-size: .88rem; }
dialog { width: min(62rem, calc(100vw - 2rem)); max-height: calc(100vh - 2rem); padding: 0; border: 1px solid var(--line); border-radius: .75rem;
  background: var(--card); color: var(--ink); }
dialog[open] { display: flex; flex-direction: column; } dialog::backdrop { background: rgb(0 0 0 / .5); }
dialog header { display: flex; gap: 1rem; align-items: start; justify-content: space-between; padding: 1rem 1.25rem .25rem; }
dialog .body { overflow: auto; padding: 0 1.25rem 1.25rem; overflow-wrap: anywhere; }
dialog pre { white-space: pre-wrap; background: var(--paper); border-radius: .5rem; padding: .75rem; margin: .75rem 0 0; }
dialog .bad { color: var(--failed-ink); font-weight: 600; } dialog .dim { color: var(--faint); }
.close { border: 1px solid var(--line); background: none; color: inherit; border-radius: .4rem; padding: .25rem .75rem; font: inherit; cursor: pointer; }
[hidden] { display: none !important; }
@media (max-width: 44rem) {
  main { padding: 1rem .75rem 3rem; } h1 { font-size: 1.3rem; } .kernel { padding: .75rem; }
  .matrix, .matrix tbody { display: block; min-width: 0; } .matrix thead { display: none; }
  .matrix tr { display: grid; grid-template-columns: 1fr 1fr; gap: .35rem; margin-bottom: 1rem; }
  .matrix th { grid-column: 1 / -1; font-size: 1rem; padding: .2rem 0 0; } .matrix td { display: block; min-width: 0; }
  .matrix td:empty { display: none; } .matrix .cell::before { content: attr(data-backing); display: block; font-weight: 600; }
  .matrix .cell { height: 100%; min-height: 2.75rem; }
}
@media print {
  :root { color-scheme: light; } body { background: #fff; color: #000; font-size: 11pt; }
  main { padding: 0; max-width: none; } .filter, dialog, .scroll { overflow: visible; } .filter, dialog { display: none !important; }
  .matrix { min-width: 0; border-spacing: .15rem; } .matrix thead th:first-child { width: 5.5rem; }
  .matrix th { font-size: 7.5pt; padding: .1rem .15rem; } .matrix .cell { font-size: 7.5pt; padding: .2rem; }
  .matrix .cell small { font-size: 7pt; } .kernel { border: 1px solid #999; padding: .5rem; } section, tr, li { break-inside: avoid; } .cell { border: 1px solid #999; }
  * { print-color-adjust: exact; }
}
`;
