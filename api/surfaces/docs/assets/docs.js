// The page: loads /openapi.json, keeps the side list, and shows what the address asks for.

import { t, lang, setLang, store } from './strings.js';
import { h, md, codePanel, pretty, announce } from './dom.js';
import { badge, pathText, readDocument, operationView, examplesOf, schemaOf, success } from './render.js';
import { samplePanel, sideOf, useServer, currentKey } from './tryit.js';

const $ = (id) => document.getElementById(id);
const html = document.documentElement;
const main = $('main');
const narrow = window.matchMedia('(max-width: 859px)');
const PARTS = ['start', 'auth', 'idem', 'paging', 'errors', 'versions', 'operations'];

let openapi = null;
let ops = [];
let byId = new Map();

/* ---------- chrome ---------- */

function dress() {
  html.lang = lang();
  for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
  for (const node of document.querySelectorAll('[data-t-placeholder]')) node.placeholder = t(node.dataset.tPlaceholder);
  for (const button of document.querySelectorAll('[data-lang]')) button.setAttribute('aria-pressed', String(button.dataset.lang === lang()));
  showSecret($('key-show').getAttribute('aria-pressed') === 'true');
}

function showSecret(shown) {
  $('key').classList.toggle('secret', !shown);
  $('key-show').setAttribute('aria-pressed', String(shown));
  $('key-show').textContent = t(shown ? 'hide' : 'show');
}

function keyChanged() {
  const kind = (/^bdg_(test|live)_/.exec(currentKey()) || [])[1];
  $('key-env').textContent = kind || '';
  $('key-env').className = `env ${kind || ''}`;
  $('key-env').hidden = !kind;
  html.classList.toggle('has-key', Boolean(currentKey()));
}

const setOpen = (button, target, open) => {
  button.setAttribute('aria-expanded', String(open));
  target.classList.toggle('open', open);
};

function setMenu(open) {
  if (open) setOpen($('key-open'), $('key-bar'), false);
  setOpen($('menu'), $('side'), open);
  main.inert = open && narrow.matches;
}

function listen() {
  $('key').value = currentKey();
  $('key').addEventListener('input', () => { store('session', 'bodega.key', $('key').value.trim()); keyChanged(); });
  $('key-clear').addEventListener('click', () => { store('session', 'bodega.key', ''); $('key').value = ''; keyChanged(); $('key').focus(); });
  $('key-show').addEventListener('click', () => showSecret($('key-show').getAttribute('aria-pressed') !== 'true'));
  $('key-bar').addEventListener('submit', (event) => event.preventDefault());
  $('key-open').addEventListener('click', () => setOpen($('key-open'), $('key-bar'), !$('key-bar').classList.contains('open')));
  document.addEventListener('askkey', () => { setOpen($('key-open'), $('key-bar'), true); $('key').focus(); });
  $('menu').addEventListener('click', () => setMenu(!$('side').classList.contains('open')));
  narrow.addEventListener('change', () => setMenu(false));
  $('nav').addEventListener('click', (event) => { if (event.target.closest('a')) setMenu(false); });
  $('skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
  for (const button of document.querySelectorAll('[data-lang]')) {
    button.addEventListener('click', () => {
      setLang(button.dataset.lang);
      store('local', 'bodega.lang', button.dataset.lang);
      dress();
      if (openapi) { buildNav(); show(false); }
    });
  }
  $('search').addEventListener('input', filter);
  $('search').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { $('search').value = ''; filter(); }
    const first = $('nav').querySelector('.side-op:not([hidden])');
    if (event.key === 'Enter' && first && $('search').value.trim()) first.click();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && $('side').classList.contains('open')) { setMenu(false); $('menu').focus(); }
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select, dialog')) return;
    event.preventDefault();
    setMenu(true);
    $('search').focus();
    $('search').select();
  });
  window.addEventListener('hashchange', () => show(true));
}

/* ---------- the side list ---------- */

/** Tags in the order of the document, each with its operations. */
function byTag() {
  const groups = new Map((openapi.tags || []).map((tag) => [tag.name, { ...tag, ops: [] }]));
  for (const op of ops) {
    if (!groups.has(op.tag)) groups.set(op.tag, { name: op.tag, ops: [] });
    groups.get(op.tag).ops.push(op);
  }
  return [...groups.values()].filter((group) => group.ops.length);
}

function buildNav() {
  const open = ops.length <= 40;
  $('nav').replaceChildren(
    h('ul', {}, PARTS.map((part) => h('li', {}, h('a', { href: `#${part}` }, t(part))))),
    ...byTag().map((group) => h('details', { open, 'data-start': open },
      h('summary', { lang: 'en' }, group.name),
      h('ul', {}, group.ops.map((op) => h('li', {},
        h('a.side-op', { href: `#${op.id}`, 'data-find': `${op.id} ${op.method} ${op.path} ${op.title}`.toLowerCase() },
          h('span', { lang: 'en', class: op.deprecated ? 'gone' : null }, op.title), badge(op.method))))))),
    h('p.side-none', { hidden: true }, t('nothing')),
    h('p.side-end', {}, h('a', { href: '/openapi.json' }, t('document'))));
  filter();
}

function filter() {
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const entry of $('nav').querySelectorAll('.side-op')) {
    const match = words.every((word) => entry.dataset.find.includes(word));
    entry.hidden = !match;
    found += match;
  }
  for (const group of $('nav').querySelectorAll('details')) {
    group.hidden = !group.querySelector('.side-op:not([hidden])');
    group.open = words.length > 0 || group.dataset.start !== undefined || Boolean(group.querySelector('[aria-current]'));
  }
  $('nav').firstElementChild.hidden = words.length > 0;
  $('nav').querySelector('.side-none').hidden = found > 0;
  if (words.length) announce(t('found', found));
}

function mark(hash) {
  for (const entry of $('nav').querySelectorAll('a')) {
    const here = entry.getAttribute('href') === `#${hash}`;
    if (here) entry.setAttribute('aria-current', 'page'); else entry.removeAttribute('aria-current');
    if (here && entry.closest('details')) entry.closest('details').open = true;
    if (here && $('nav').scrollHeight > $('nav').clientHeight) entry.scrollIntoView({ block: 'nearest' });
  }
}

/* ---------- views ---------- */

function problemExample() {
  for (const op of ops) {
    for (const answer of op.answers) {
      const media = (answer.content || {})['application/problem+json'];
      if (media && /^4/.test(answer.code)) return { media, value: examplesOf(media, 'writeOnly')[0].value };
    }
  }
  return null;
}

/** Names this API uses, found in the document so that this text cannot drift from it. */
function habits() {
  const queries = (op) => op.params.filter((param) => param.in === 'query').map((param) => param.name);
  const list = ops.find((op) => op.method === 'get' && queries(op).some((name) => /cursor|after|page_token/.test(name)));
  const cursor = list && queries(list).find((name) => /cursor|after|page_token/.test(name));
  const page = list && success(list).media;
  const names = page ? Object.keys(schemaOf(page.schema).properties || {}) : [];
  const size = list && queries(list).find((name) => /limit|size/.test(name));
  const header = ops.flatMap((op) => op.params).find((param) => param.in === 'header' && /version$/i.test(param.name));
  return {
    first: ops.find((op) => op.method === 'get' && !op.isPublic && !op.path.includes('{')) || ops[0],
    create: ops.find((op) => op.method === 'post' && op.media),
    list, cursor, size, pin: header && header.name,
    next: names.find((name) => /next|cursor/.test(name)) || 'next_cursor',
    root: (/^\/v\d+/.exec(list ? list.path : (ops[0] || {}).path) || ['/v1'])[0],
    problem: problemExample(),
  };
}

function part(id, text, ...more) {
  return h('section', { id }, h('div', {}, h('h2', { tabindex: '-1' }, t(id)), md(text, lang()), ...more.filter((one) => one && one.localName === 'p')), ...more.filter((one) => one && one.localName !== 'p'));
}

function homeView() {
  const { first, create, list, cursor, size, next, pin, root, problem } = habits();
  const curl = (text) => codePanel('cURL', text);
  const auth = '-H "Authorization: Bearer $BODEGA_API_KEY"';
  const code = problem && Object.keys(schemaOf(problem.media.schema).properties || {}).includes('code') ? 'code' : 'type';
  return h('div.home', {},
    h('header', { id: 'start' },
      h('p.crumb', {}, h('span', {}, t('version', openapi.info.version))),
      h('h1', { tabindex: '-1', lang: 'en' }, openapi.info.title),
      md(openapi.info.description || openapi.info.summary)),
    part('auth', t('authText'), first && curl(`curl '${location.origin}${first.path}' \\\n  ${auth}`)),
    create && part('idem', t('idemText'), samplePanel(create)),
    list && part('paging', t('pagingText', next, cursor),
      curl(`curl '${location.origin}${list.path}?${size ? `${size}=20&` : ''}${cursor}=CURSOR' \\\n  ${auth}`)),
    part('errors', t('errorsText', code), problem && problem.value && codePanel('application/problem+json', pretty(problem.value))),
    part('versions', `${t('versionsText', root)}${pin ? ` ${t('pinText', pin)}` : ''}`),
    h('section.index', { id: 'operations' }, h('h2', { tabindex: '-1' }, t('operations')), byTag().map((group) => h('div.group', {},
      h('h3', { lang: 'en' }, group.name), group.description && md(group.description),
      h('ul', {}, group.ops.map((op) => h('li', {}, h('a', { href: `#${op.id}` },
        badge(op.method), h('code.path', {}, pathText(op.path)), h('span', { lang: 'en' }, op.title)))))))));
}

function opView(op) {
  const side = sideOf(op);
  const view = operationView(op, side.node, side.open);
  const at = ops.indexOf(op);
  const turn = (key, other) => other && h(`a.turn.${key}`, { href: `#${other.id}` }, h('small', {}, t(key)), h('span', { lang: 'en' }, other.title));
  view.append(h('footer.turns', {}, turn('previous', ops[at - 1]), turn('next', ops[at + 1])));
  return view;
}

/** Shows what the address asks for. `moved` is false for the first view and for a redraw. */
function show(moved) {
  let hash = location.hash.slice(1);
  try { hash = decodeURIComponent(hash); } catch { /* a stray % */ }
  const op = byId.get(hash);
  const known = op || PARTS.includes(hash) || !hash;
  const stayed = !op && moved && main.querySelector('.home');
  if (!stayed) main.replaceChildren(op ? opView(op) : homeView());
  if (!known) main.prepend(h('p.warn', { role: 'alert' }, t('noSuch', hash)));
  document.title = `${op ? `${op.title} · ` : ''}${openapi.info.title}`;
  mark(op ? hash : known ? hash || 'start' : '');
  const place = !op && hash ? $(hash) : null;
  if (place && hash !== 'start') place.scrollIntoView();
  else if (moved) window.scrollTo(0, 0);
  if (moved) ((place && place.querySelector('h2')) || main.querySelector('h1')).focus({ preventScroll: true });
}

async function load() {
  try {
    const response = await fetch('/openapi.json');
    if (!response.ok) throw new Error(String(response.status));
    openapi = await response.json();
    ops = readDocument(openapi);
    byId = new Map(ops.map((op) => [op.id, op]));
    useServer(openapi.servers);
  } catch (error) {
    main.replaceChildren(h('p.warn', { role: 'alert' }, t('loadFailed'), ` (${error.message}) `), h('button', { type: 'button', onclick: load }, t('retry')));
    return;
  } finally {
    main.removeAttribute('aria-busy');
  }
  // The page follows the order of the tags, so that "next" matches the list.
  ops = byTag().flatMap((group) => group.ops);
  buildNav();
  show(false);
}

setLang(store('local', 'bodega.lang') || (navigator.language || 'en').slice(0, 2));
dress();
keyChanged();
listen();
load();
