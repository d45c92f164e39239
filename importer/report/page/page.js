'use strict';
// The documents are data: they are shown by textContent alone, so that no cell is ever more than text.
const MAX_PRINTED = 2000;
const SCREEN_READER_MS = 400;
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId('data').textContent);
const documents = data.documents.map(([ranges, key, status, number, message, sent, causes], position) => ({
  position, ranges, key, number, message, sent, causes, status: data.statuses[status], place: status, words: null,
}));
const heads = [...document.querySelectorAll('#table thead th')];
const columns = heads.map((head) => ({ name: head.dataset.column, title: head.textContent }));
const choice = { search: '', status: '', cause: null, column: 'rows', down: false, page: 0 };
const count = (number) => number.toLocaleString('en');
const many = (number) => `${count(number)} document${number === 1 ? '' : 's'}`;
let hits = documents;

function make(name, text = '', kind = '') {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// as the program writes rows everywhere
function rowText(ranges) {
  const texts = [];
  for (let at = 0; at < ranges.length; at += 2) {
    texts.push(ranges[at] === ranges[at + 1] ? `${ranges[at]}` : `${ranges[at]}-${ranges[at + 1]}`);
  }
  const more = texts.length > 8 ? ` and ${texts.length - 8} more places` : '';
  return texts.slice(0, 8).join(', ') + more;
}

// -- what is found, and in which order

const plain = (text) => text.normalize('NFC').toLowerCase();

function has(one, term) {
  one.words ??= plain([one.key ?? 'no key', one.number, one.status.label, one.status.name, one.message].join('\n'));
  if (one.words.includes(term)) return true;
  if (!/^\d+$/.test(term)) return false;
  const row = Number(term);
  for (let at = 0; at < one.ranges.length; at += 2) {
    if (one.ranges[at] <= row && row <= one.ranges[at + 1]) return true;
  }
  return false;
}

const collator = new Intl.Collator(undefined, { numeric: true });
const compare = (one, other) => (one < other ? -1 : Number(one > other));
const ORDERS = {
  rows: (one, other) => one.ranges[0] - other.ranges[0],
  status: (one, other) => one.place - other.place,
  sent: (one, other) => compare(one.sent, other.sent),
};
const orders = new Map();

function ordered(column) {
  if (!orders.has(column)) {
    // what has nothing in the column stands last, up and down
    const filled = (one) => column === 'rows' || column === 'status' || Boolean(one[column]);
    const order = ORDERS[column] ?? ((one, other) => collator.compare(one[column], other[column]));
    const full = documents.filter(filled).sort(order);
    const rest = documents.filter((one) => !filled(one));
    orders.set(column, { up: [...full, ...rest], down: [...full.reverse(), ...rest] });
  }
  return orders.get(column)[choice.down ? 'down' : 'up'];
}

function find() {
  const terms = plain(choice.search).split(/\s+/).filter(Boolean);
  hits = ordered(choice.column).filter((one) =>
    (choice.status === '' || (choice.status === 'attention' ? one.status.pressing : one.status.name === choice.status))
    && (choice.cause === null || one.causes.includes(choice.cause))
    && terms.every((term) => has(one, term)));
  choice.page = 0;
}

// -- the table

function fill(cell, one, name) {
  if (name === 'rows') cell.textContent = rowText(one.ranges);
  else if (name === 'key' && one.key === null) cell.append(make('span', 'no key', 'quiet'));
  else if (name === 'status') cell.append(make('span', one.status.label, `chip s-${one.status.name}`));
  else if (name === 'message' && one.message.length > data.fold) {
    const folded = make('details');
    folded.append(make('summary', `${one.message.slice(0, data.fold / 2).split('\n')[0].trimEnd()} \u2026`), one.message);
    cell.append(folded);
  } else cell.textContent = one[name];
}

function row(one) {
  const line = make('tr');
  line.setAttribute('role', 'row');
  for (const { name, title } of columns) {
    const cell = make(name === 'key' ? 'th' : 'td', '', `c-${name}`);
    if (name === 'key') cell.scope = 'row';
    cell.setAttribute('role', name === 'key' ? 'rowheader' : 'cell');
    cell.dataset.label = title;
    cell.dir = 'auto';
    fill(cell, one, name);
    line.append(cell);
  }
  return line;
}

const show = (some) => byId('rows').replaceChildren(...some.map(row));
const pageCount = () => Math.max(Math.ceil(hits.length / data.shown), 1);

function showPage() {
  const first = choice.page * data.shown;
  const some = hits.slice(first, first + data.shown);
  show(some);
  byId('none').hidden = hits.length > 0;
  byId('table').hidden = hits.length === 0;
  byId('pages').hidden = pageCount() === 1;
  byId('page').textContent = `Page ${count(choice.page + 1)} of ${count(pageCount())}`;
  for (const button of byId('pages').querySelectorAll('button')) {
    const back = ['first', 'back'].includes(button.dataset.go);
    button.setAttribute('aria-disabled', String(back ? choice.page === 0 : choice.page === pageCount() - 1));
  }
  tell(hits.length === 0 ? 'No document is found.'
    : `${hits.length < documents.length ? `${many(hits.length)} of ${count(documents.length)}` : many(hits.length)}`
      + (pageCount() > 1 ? `, ${count(first + 1)} to ${count(first + some.length)} shown` : ''));
}

let telling;
function tell(text) {
  byId('hits').textContent = text;
  // a screen reader says what is found once somebody has stopped typing
  clearTimeout(telling);
  telling = setTimeout(() => { byId('said').textContent = text; }, SCREEN_READER_MS);
}

// -- what is chosen

function refresh() {
  find();
  for (const head of heads) {
    if (head.dataset.column === choice.column) head.setAttribute('aria-sort', choice.down ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  }
  for (const face of document.querySelectorAll('button.face')) {
    face.setAttribute('aria-pressed', String(face.dataset.status === choice.status));
  }
  const parts = [...document.querySelectorAll('.bar rect')];
  for (const part of parts) part.classList.toggle('chosen', part.dataset.status === choice.status);
  document.querySelector('.bar')?.classList.toggle('chosen', parts.some((part) => part.classList.contains('chosen')));
  byId('search').value = choice.search;
  byId('status').value = choice.status;
  byId('clear').disabled = !choice.search && !choice.status && choice.cause === null;
  showCause();
  showPage();
}

function choose(changes) {
  Object.assign(choice, changes);
  refresh();
}

function showCause() {
  const line = byId('cause');
  line.hidden = choice.cause === null;
  if (choice.cause === null) return;
  const text = document.querySelector(`[data-cause="${choice.cause}"] h3`).textContent;
  const drop = make('button', 'Show all causes', 'plain');
  drop.type = 'button';
  drop.addEventListener('click', () => { choose({ cause: null }); byId('search').focus(); });
  line.replaceChildren(make('span', `Cause: ${text}`), drop);
}

function goToDocuments() {
  byId('documents').scrollIntoView();
  byId('documents').focus({ preventScroll: true });
}

function chooseStatus(name) {
  const again = choice.status === name;
  choose({ status: again ? '' : name, cause: null });
  if (!again) byId('documents').scrollIntoView();
}

function go(where) {
  const pages = { first: 0, back: choice.page - 1, next: choice.page + 1, last: pageCount() - 1 };
  const page = Math.min(Math.max(pages[where], 0), pageCount() - 1);
  if (page === choice.page) return;
  choice.page = page;
  showPage();
  byId('table').scrollIntoView();
}

function makeButtons() {
  for (const face of document.querySelectorAll('div.face')) {
    const button = make('button', '', 'face');
    button.type = 'button';
    button.dataset.status = face.dataset.status;
    button.append(...face.childNodes);
    face.replaceWith(button);
    button.addEventListener('click', () => chooseStatus(button.dataset.status));
  }
  for (const part of document.querySelectorAll('.bar rect')) {
    part.addEventListener('click', () => chooseStatus(part.dataset.status));
  }
  for (const trouble of document.querySelectorAll('[data-cause]')) {
    const button = make('button', 'Show these documents', 'plain show');
    button.type = 'button';
    button.addEventListener('click', () => { choose({ cause: Number(trouble.dataset.cause), status: '', search: '' }); goToDocuments(); });
    trouble.append(button);
  }
  for (const head of heads) {
    const button = make('button', head.textContent, 'sort');
    button.type = 'button';
    button.addEventListener('click', () => choose({ column: head.dataset.column, down: choice.column === head.dataset.column && !choice.down }));
    head.replaceChildren(button);
    head.classList.add('sortable');
  }
}

// -- printing: all that is found, up to what a printer can take

let unfolded = [];
addEventListener('beforeprint', () => {
  show(hits.slice(0, MAX_PRINTED));
  const left = hits.length - MAX_PRINTED;
  byId('printed').textContent = `${many(hits.length)}${hits.length < documents.length ? ` of ${count(documents.length)}` : ''}`
    + (left > 0 ? `, the first ${count(MAX_PRINTED)} printed; results.xlsx holds all of them.` : '.');
  unfolded = [...document.querySelectorAll('details:not([open])')];
  for (const folded of unfolded) folded.open = true;
});
addEventListener('afterprint', () => {
  for (const folded of unfolded) folded.open = false;
  showPage();
});

// -- times also as the reader's own clock shows them

function addLocalTimes() {
  for (const time of document.querySelectorAll('time')) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime()) || moment.getTimezoneOffset() === 0) continue;
    const local = new Intl.DateTimeFormat('sv', { dateStyle: 'short', timeStyle: 'medium' }).format(moment);
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    time.after(make('span', `${local} ${zone}`, 'local'));
  }
}

document.body.classList.add('live');
makeButtons();
addLocalTimes();
byId('tools').hidden = false;
if (byId('first')) byId('first').hidden = true;
byId('tools').addEventListener('submit', (event) => event.preventDefault());
byId('search').addEventListener('input', (event) => choose({ search: event.target.value }));
byId('status').addEventListener('change', (event) => choose({ status: event.target.value }));
byId('clear').addEventListener('click', () => { choose({ search: '', status: '', cause: null }); byId('search').focus(); });
for (const button of byId('pages').querySelectorAll('button')) button.addEventListener('click', () => go(button.dataset.go));
refresh();
