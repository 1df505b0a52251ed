// Nodes, text and code panels. Text from the OpenAPI document or from an answer only
// ever becomes text nodes: there is no HTML parsing anywhere in this page.

import { t } from './strings.js';

/* ---------- nodes ---------- */

/** h('p.note', { id: 'x', onclick: fn }, 'text', node, [nodes]) */
export function h(spec, attrs, ...kids) {
  const [tag, ...classes] = spec.split('.');
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(' ');
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...kids.flat(Infinity).filter((kid) => kid !== undefined && kid !== null && kid !== false));
  return node;
}

export const announce = (text) => { document.getElementById('live').textContent = text; };

/** Only links to this origin or to https elsewhere; anything else stays text. */
function link(label, href) {
  let url;
  try { url = new URL(href, location.href); } catch { return label; }
  const here = url.origin === location.origin && /^https?:$/.test(url.protocol);
  if (!here && url.protocol !== 'https:') return label;
  return h('a', { href: url.href, rel: here ? null : 'noopener noreferrer' }, label);
}

export function inline(text) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(/`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^()\s]+)\)/g)) {
    out.push(text.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[1]) out.push(h('code', {}, m[1]));
    else if (m[2]) out.push(h('strong', {}, inline(m[2])));
    else out.push(link(m[3], m[4]));
  }
  return [...out, text.slice(at)];
}

/** The cells of a line of a table. */
const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());

/** A small Markdown: paragraphs, lists, tables, blocks of code, `code`, **bold**, links. */
export function md(text, language = 'en') {
  const box = h('div.md', { lang: language });
  let list = null;
  let words = [];
  let rows = null;
  let block = null;
  const flush = () => {
    if (words.length) box.append(h('p', {}, inline(words.join(' '))));
    words = [];
  };
  for (const line of String(text || '').split(/\r?\n/)) {
    if (/^```/.test(line)) {
      flush();
      if (block) block = null;
      else box.append(h('pre', {}, block = h('code')));
      continue;
    }
    if (block) {
      block.append(`${line}\n`);
      continue;
    }
    if (/^\s*\|.*\|\s*$/.test(line)) {
      flush();
      list = null;
      if (!rows) {
        box.append(h('table', {}, h('thead', {}, h('tr', {}, cells(line).map((cell) => h('th', {}, inline(cell))))), rows = h('tbody')));
      } else if (!/^[\s|:-]+$/.test(line)) {
        rows.append(h('tr', {}, cells(line).map((cell) => h('td', {}, inline(cell)))));
      }
      continue;
    }
    rows = null;
    const item = /^\s*(?:[-*]|(\d+)\.)\s+(.*)$/.exec(line);
    if (item) {
      flush();
      const tag = item[1] ? 'ol' : 'ul';
      if (!list || list.localName !== tag) box.append(list = h(tag));
      list.append(h('li', {}, inline(item[2])));
    } else if (!line.trim()) {
      flush();
      list = null;
    } else if (list && /^\s/.test(line)) {
      list.lastChild.append(' ', ...inline(line.trim()));
    } else {
      list = null;
      words.push(line.trim().replace(/^#+\s+(.*)$/, '**$1**'));
    }
  }
  flush();
  return box;
}

/* ---------- code ---------- */

const TOKENS = /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)(\s*:)?|\b(const|await|new|import|return|True|False|None|true|false|null|curl)\b|(-?\b\d+(?:\.\d+)?\b)/g;

export function paint(text) {
  if (text.length > 60000) return [text];
  const out = [];
  let at = 0;
  for (const m of text.matchAll(TOKENS)) {
    out.push(text.slice(at, m.index));
    at = m.index + m[0].length;
    const kind = m[2] ? 'key' : m[1] ? 'string' : m[3] ? 'word' : 'number';
    out.push(h(`span.tk-${kind}`, {}, m[1] || m[0]), m[2] || '');
  }
  return [...out, text.slice(at)];
}

export function copyButton(text) {
  const button = h('button.plain.copy', { type: 'button', onclick: copy }, t('copy'));
  async function copy() {
    let done = true;
    try { await navigator.clipboard.writeText(text()); } catch { done = legacyCopy(text()); }
    button.textContent = t(done ? 'copied' : 'copyFailed');
    announce(button.textContent);
    setTimeout(() => { button.textContent = t('copy'); }, 1600);
  }
  return button;
}

// navigator.clipboard is absent on plain http outside localhost.
function legacyCopy(text) {
  const area = h('textarea.hush', { readonly: true });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

/** A dark panel with a caption, optional buttons and a copy button. */
export function codePanel(caption, text, ...tools) {
  return h('div.panel', {},
    h('div.panel-bar', {}, h('span.panel-name', {}, caption), ...tools, copyButton(() => text)),
    h('pre', { tabindex: '0', role: 'group', 'aria-label': caption }, h('code', {}, paint(text))));
}

export const pretty = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));
