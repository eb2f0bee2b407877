/**
 * What the page does: it hides the rows of other drivers, and shows the log of a cell. The address keeps the filter
 * (`#driver=overlay2`), so that a link leads to it. All text of others comes in as text, never as markup.
 */
export const PAGE_SCRIPT: string = `
'use strict';
const notes = JSON.parse(document.getElementById('notes').textContent);
const dialog = document.querySelector('dialog');
const text = (tag, words, name) => {
  const element = document.createElement(tag);
  element.textContent = words;
  if (name) element.className = name;
  return element;
};
function lines(log) {
  const pre = document.createElement('pre');
  for (const line of log.split('\\n')) {
    const kind = line.startsWith('not ok ') ? 'bad' : /^(excused |#|    )/.test(line) ? 'dim' : '';
    pre.append(text('span', line + '\\n', kind));
  }
  return pre;
}
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-note]');
  if (button) {
    const { title, subtitle, reasons, log } = notes[Number(button.dataset.note)];
    dialog.querySelector('h2').textContent = title;
    dialog.querySelector('.subtitle').textContent = subtitle;
    const body = dialog.querySelector('.body');
    body.replaceChildren(...reasons.map((reason) => text('p', reason)), ...(log === '' ? [] : [lines(log)]));
    dialog.showModal();
    body.scrollTop = 0;
  } else if (event.target === dialog || event.target.closest('.close')) {
    dialog.close();
  }
});
function filter(driver) {
  for (const element of document.querySelectorAll('[data-driver]')) {
    element.hidden = driver !== '' && element.dataset.driver !== driver;
  }
  for (const input of document.querySelectorAll('.filter input')) input.checked = input.value === driver;
}
function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1)).get('driver') ?? '';
  const known = [...document.querySelectorAll('.filter input')].some((input) => input.value === wanted);
  filter(known ? wanted : '');
}
document.querySelector('.filter').addEventListener('change', (event) => {
  filter(event.target.value);
  const address = event.target.value === '' ? ' ' : '#' + new URLSearchParams({ driver: event.target.value });
  try {
    history.replaceState(null, '', address === ' ' ? location.pathname + location.search : address);
  } catch {
    // A page from an attachment has no history to write to.
  }
});
addEventListener('hashchange', fromAddress);
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
fromAddress();
`;
