// Code samples and the console that sends real requests to this same origin.

import { t, store } from './strings.js';
import { h, codePanel, copyButton, paint, pretty, announce } from './dom.js';
import { examplesOf, schemaOf, success } from './render.js';

const SHOWN = /^(x-)?request-id$|^(x-)?ratelimit|^(etag|idempotent-replayed|deprecation|sunset|retry-after|location|link|content-type)$/;
const OWN_HEADERS = /^(idempotency-key|authorization|accept|content-type)$/i;
const CUT = 200000;

/** Path prefix of the API: that of servers[0] when it is on this origin. */
let prefix = '';
export function useServer(servers) {
  const url = new URL(((servers || [])[0] || {}).url || '/', location.origin);
  prefix = url.origin === location.origin ? url.pathname.replace(/\/$/, '') : '';
}

/* ---------- requests ---------- */

const inputsOf = (op) => op.params.filter((param) => param.in !== 'cookie' && !(param.in === 'header' && OWN_HEADERS.test(param.name)));
const takesIdem = (op) => op.method === 'post' || op.params.some((param) => /^idempotency-key$/i.test(param.name));
const idOf = (param) => `${param.in} ${param.name}`;

/** Fills an operation with texts: where it goes, its query and its headers. */
function fill(op, values) {
  let path = prefix + op.path;
  const query = [];
  const headers = [];
  for (const param of inputsOf(op)) {
    const text = values[idOf(param)] || '';
    if (param.in === 'path') path = path.split(`{${param.name}}`).join(encodeURIComponent(text) || `{${param.name}}`);
    else if (!text) continue;
    else if (param.in === 'header') headers.push([param.name, text]);
    else if (schemaOf(param.schema).type === 'array') {
      const parts = text.split(',').map((one) => one.trim());
      (param.explode === false ? [parts.join(',')] : parts).forEach((one) => query.push([param.name, one]));
    } else query.push([param.name, text]);
  }
  return { path, query, headers, target: path + (query.length ? `?${new URLSearchParams(query)}` : '') };
}

function paramExample(param) {
  const given = examplesOf(param).map((one) => one.value)[0];
  const s = schemaOf(param.schema);
  const stated = param.example !== undefined || param.examples || s.example !== undefined || s.examples;
  return { text: given === undefined ? '' : [given].flat().join(','), stated: Boolean(stated) };
}

function sampleValues(op) {
  const values = {};
  let extra = 0;
  for (const param of inputsOf(op)) {
    const { text, stated } = paramExample(param);
    if (param.in === 'path') values[idOf(param)] = stated ? text : param.name.toUpperCase();
    else if (param.required || (stated && extra++ < 3)) values[idOf(param)] = text;
  }
  return values;
}

/** A value as JavaScript or Python source. */
function literal(value, python, pad = '') {
  const text = (one) => (python ? JSON.stringify(one) : `'${JSON.stringify(one).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`);
  if (value === null || value === undefined) return python ? 'None' : 'null';
  if (typeof value === 'boolean') return python ? (value ? 'True' : 'False') : String(value);
  if (typeof value === 'string') return text(value);
  if (typeof value !== 'object') return String(value);
  const next = pad + (python ? '    ' : '  ');
  const list = Array.isArray(value);
  const [open, close] = list ? '[]' : '{}';
  const name = (key) => (!python && /^[A-Za-z_$][\w$]*$/.test(key) ? key : text(key));
  const parts = list ? value.map((one) => literal(one, python, next))
    : Object.entries(value).map(([key, one]) => `${name(key)}: ${literal(one, python, next)}`);
  const flat = parts.join(', ');
  if (!parts.length) return open + close;
  if (flat.length < 44 && !flat.includes('\n')) return list || python ? open + flat + close : `{ ${flat} }`;
  return `${open}\n${next}${parts.join(`,\n${next}`)},\n${pad}${close}`;
}

const shell = (text) => `'${text.replace(/'/g, "'\\''")}'`;

/** The same call for the three audiences. */
function samplesOf(op) {
  const { path, query, headers, target } = fill(op, sampleValues(op));
  const url = location.origin + path;
  const body = op.media && examplesOf(op.media, 'readOnly')[0].value;
  const kind = op.media && op.media.kind;
  const json = kind && /json/.test(kind);
  const idem = takesIdem(op);
  const empty = !(success(op) || {}).media;

  const curl = [
    `curl ${op.method === 'get' ? '' : `-X ${op.method.toUpperCase()} `}${shell(location.origin + target)}`,
    !op.isPublic && '-H "Authorization: Bearer $BODEGA_API_KEY"',
    idem && '-H "Idempotency-Key: $(uuidgen)"',
    ...headers.map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`),
    kind && `-H ${shell(`Content-Type: ${kind}`)}`,
    kind && `--data-binary ${shell(pretty(body === undefined ? '' : body))}`,
  ].filter(Boolean).join(' \\\n  ');

  const jsHeaders = [
    !op.isPublic && 'Authorization: `Bearer ${process.env.BODEGA_API_KEY}`',
    idem && "'Idempotency-Key': crypto.randomUUID()",
    ...headers.map(([name, value]) => `${literal(name)}: ${literal(value)}`),
    kind && `'Content-Type': '${kind}'`,
  ].filter(Boolean).map((line) => `    ${line},\n`).join('');
  const jsOptions = [
    op.method !== 'get' && `  method: '${op.method.toUpperCase()}',\n`,
    jsHeaders && `  headers: {\n${jsHeaders}  },\n`,
    kind && `  body: ${json ? `JSON.stringify(${literal(body, false, '  ')})` : literal(pretty(body))},\n`,
  ].filter(Boolean).join('');
  const javascript = (query.length ? `const query = new URLSearchParams(${literal(query, false)});\n` : '')
    + `const response = await fetch(${query.length ? `\`${url}?\${query}\`` : literal(url)}${jsOptions ? `, {\n${jsOptions}}` : ''});\n`
    + `console.log(response.status${empty ? '' : ', await response.json()'});`;

  const pyHeaders = [
    !op.isPublic && '"Authorization": f"Bearer {os.environ[\'BODEGA_API_KEY\']}"',
    idem && '"Idempotency-Key": str(uuid.uuid4())',
    ...headers.map(([name, value]) => `${literal(name, true)}: ${literal(value, true)}`),
    kind && kind !== 'application/json' && `"Content-Type": "${kind}"`,
  ].filter(Boolean).map((line) => `        ${line},\n`).join('');
  const python = (op.isPublic ? '' : 'import os\n') + (idem ? 'import uuid\n' : '') + '\nimport requests\n\n'
    + `response = requests.${op.method}(\n    ${literal(url, true)},\n`
    + (query.length ? `    params=[\n${query.map(([key, one]) => `        (${literal(key, true)}, ${literal(one, true)}),\n`).join('')}    ],\n` : '')
    + (pyHeaders ? `    headers={\n${pyHeaders}    },\n` : '')
    + (kind ? `    ${json ? 'json' : 'data'}=${literal(json ? body : pretty(body), true, '    ')},\n` : '')
    + `    timeout=10,\n)\nprint(response.status_code${empty ? '' : ', response.json()'})`;
  return { cURL: curl, JavaScript: javascript, Python: python.trimStart() };
}

/* ---------- samples beside an operation ---------- */

const LANGUAGES = ['cURL', 'JavaScript', 'Python'];

/** One panel with a switch between languages; the choice holds for every panel to come. */
export function samplePanel(op) {
  const samples = samplesOf(op);
  let chosen = LANGUAGES.includes(store('local', 'bodega.sample')) ? store('local', 'bodega.sample') : LANGUAGES[0];
  const code = h('code');
  const choose = (name) => {
    chosen = name;
    code.replaceChildren(...paint(samples[name]));
    buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.textContent === name)));
  };
  const buttons = LANGUAGES.map((name) => h('button.plain', { type: 'button', onclick: () => { choose(name); store('local', 'bodega.sample', name); } }, name));
  choose(chosen);
  return h('div.panel', {},
    h('div.panel-bar', {}, h('div.switch', { role: 'group', 'aria-label': t('samples') }, buttons), copyButton(() => samples[chosen])),
    h('pre', { tabindex: '0', role: 'group', 'aria-label': t('request') }, code));
}

function answerPanel(op) {
  const answer = success(op);
  if (!answer || !answer.media) return null;
  const { value } = examplesOf(answer.media, 'writeOnly')[0];
  return value === undefined ? null : codePanel(`${t('response')} ${answer.code}`, pretty(value));
}

/** The right column: samples, or the console. Gives the node and a way to open the console. */
export function sideOf(op) {
  let form = null;
  const samples = h('div.stack', {}, samplePanel(op), answerPanel(op));
  const show = (trying) => {
    if (trying && !form) side.append(form = consoleOf(op));
    samples.hidden = trying;
    if (form) form.hidden = !trying;
    tabs.forEach((tab, n) => tab.setAttribute('aria-pressed', String(trying === (n === 1))));
  };
  const tabs = ['samples', 'tryIt'].map((key, n) => h('button.plain', { type: 'button', onclick: () => show(n === 1) }, t(key)));
  const side = h('aside.op-side', { 'aria-label': t('samples') }, h('div.switch.wide', { role: 'group' }, tabs), samples);
  show(Boolean(drafts.has(op.id) && drafts.get(op.id).open));
  return {
    node: side,
    open() {
      show(true);
      side.scrollIntoView({ block: 'nearest' });
      (form.querySelector('input, select, textarea') || form.querySelector('button')).focus();
    },
  };
}

/* ---------- the console ---------- */

const drafts = new Map();
export const currentKey = () => store('session', 'bodega.key');

function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16)); // plain http outside localhost
  b[6] = (b[6] & 15) | 64;
  b[8] = (b[8] & 63) | 128;
  return Array.from(b, (one) => one.toString(16).padStart(2, '0')).join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function draftOf(op) {
  if (!drafts.has(op.id)) {
    const cases = op.media ? examplesOf(op.media, 'readOnly') : [];
    drafts.set(op.id, { values: {}, cases, body: cases.length ? pretty(cases[0].value) || '' : '', idem: uuid(), ownIdem: false, sent: '', result: null });
  }
  return drafts.get(op.id);
}

let counter = 0;
const labelled = (label, required, input, ...more) => {
  input.id = `in-${++counter}`;
  return h('div.entry', {}, h('label', { for: input.id }, h('code', {}, label), required && h('span.required', {}, t('required'))), input, ...more);
};

function paramInput(param, draft, changed) {
  const s = schemaOf(param.schema);
  const choices = s.enum || (s.type === 'boolean' ? [true, false] : null);
  const attrs = { 'aria-required': param.required ? 'true' : null, oninput: (event) => { draft.values[idOf(param)] = event.target.value.trim(); changed(); } };
  const input = choices
    ? h('select', attrs, h('option', { value: '' }, `(${t('notSent')})`), choices.map((one) => h('option', { value: String(one) }, String(one))))
    : h('input', {
      ...attrs, type: 'text', autocomplete: 'off', spellcheck: 'false',
      inputmode: s.type === 'integer' ? 'numeric' : s.type === 'number' ? 'decimal' : null,
      placeholder: paramExample(param).text || (s.default === undefined ? '' : String(s.default)),
    });
  input.value = draft.values[idOf(param)] || '';
  return labelled(param.name, param.required, input, s.type === 'array' && h('p.fact', {}, t('commaList')));
}

function bodyEditor(op, draft) {
  const area = h('textarea', { rows: '10', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off', oninput: () => { draft.body = area.value; check(); } });
  const warn = h('p.warn', { role: 'status' });
  const json = /json/.test(op.media.kind);
  const check = () => {
    warn.textContent = '';
    if (json && area.value.trim()) try { JSON.parse(area.value); } catch { warn.textContent = t('badJson'); }
  };
  const put = (text) => { area.value = draft.body = text; check(); };
  const format = () => { try { put(JSON.stringify(JSON.parse(area.value), null, 2)); } catch { check(); } };
  const pick = draft.cases.length > 1 && h('select', { 'aria-label': t('example'), oninput: (event) => put(pretty(draft.cases[event.target.value].value)) },
    draft.cases.map((one, n) => h('option', { value: String(n) }, one.name)));
  put(draft.body);
  return labelled(t('body'), op.request.required, area, warn, h('div.row', {}, pick,
    json && h('button.plain', { type: 'button', onclick: format }, t('format')),
    h('button.plain', { type: 'button', onclick: () => put(pretty(draft.cases[pick ? pick.value : 0].value) || '') }, t('reset'))));
}

function consoleOf(op) {
  const draft = draftOf(op);
  draft.open = true;
  const inputs = inputsOf(op);
  const target = h('code');
  const changed = () => { target.textContent = fill(op, draft.values).target; };
  const entries = (required) => inputs.filter((param) => Boolean(param.required) === required).map((param) => paramInput(param, draft, changed));
  const optional = entries(false);
  const idem = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', oninput: () => { draft.idem = idem.value.trim(); draft.ownIdem = true; } });
  const renew = () => { idem.value = draft.idem = uuid(); draft.ownIdem = false; };
  idem.value = draft.idem;
  const out = h('div.stack', {});
  const send = h('button.primary', { type: 'submit' }, t('send'));
  const stop = h('button', { type: 'button', hidden: true, onclick: () => control.abort() }, t('cancel'));
  let control = null;

  async function submit(event) {
    event.preventDefault();
    if (control) return;
    const empty = inputs.find((param) => param.in === 'path' && !draft.values[idOf(param)]);
    if (empty) {
      out.replaceChildren(h('p.warn', { role: 'alert' }, t('fillPath', empty.name)));
      form.querySelectorAll('input, select')[inputs.filter((param) => param.required).indexOf(empty)].focus();
      return;
    }
    const method = op.method.toUpperCase();
    const key = op.isPublic ? '' : currentKey();
    const call = fill(op, draft.values);
    if (key.startsWith('bdg_live_') && !/^(GET|HEAD|OPTIONS)$/.test(method) && !(await confirmLive(`${method} ${call.target}`))) return;
    // A changed request is a new intent, so it gets a new key; the same request again shows a replay.
    const sign = JSON.stringify([call, draft.body]);
    if (draft.sent && draft.sent !== sign && !draft.ownIdem) renew();
    draft.sent = sign;
    const headers = Object.fromEntries(call.headers);
    if (key) headers.Authorization = `Bearer ${key}`;
    if (takesIdem(op) && draft.idem) headers['Idempotency-Key'] = draft.idem;
    if (op.media) headers['Content-Type'] = op.media.kind;
    control = new AbortController();
    send.disabled = true;
    stop.hidden = false;
    const started = performance.now();
    try {
      const response = await fetch(call.target, { method, headers, body: op.media ? draft.body : undefined, credentials: 'omit', cache: 'no-store', signal: control.signal });
      const body = await readBody(response);
      draft.result = { ...body, status: response.status, statusText: response.statusText, ms: Math.round(performance.now() - started), headers: [...response.headers].filter(([name]) => SHOWN.test(name)) };
    } catch (error) {
      draft.result = { failed: error.name === 'AbortError' ? t('cancelled') : t('netFailed', error.message) };
    }
    control = null;
    send.disabled = false;
    stop.hidden = true;
    showResult(out, draft.result);
    out.scrollIntoView({ block: 'nearest' });
    announce(draft.result.failed || `${t('response')} ${draft.result.status}`);
  }

  const form = h('form.try', { novalidate: true, onsubmit: submit },
    !op.isPublic && h('p.need-key', {}, t('needKey'), ' ', h('button.plain', { type: 'button', onclick: () => document.dispatchEvent(new Event('askkey')) }, t('addKey'))),
    entries(true),
    takesIdem(op) && labelled('Idempotency-Key', false, idem, h('button.plain.beside', { type: 'button', onclick: renew, 'aria-label': `${t('newKey')}: Idempotency-Key` }, t('newKey'))),
    optional.length > 4 ? h('details.more', {}, h('summary', {}, t('optional', optional.length)), optional) : optional,
    op.media && bodyEditor(op, draft),
    h('p.target', {}, h('strong', {}, op.method.toUpperCase()), ' ', target),
    h('div.row', {}, send, stop), out);
  changed();
  if (draft.result) showResult(out, draft.result);
  return form;
}

function confirmLive(call) {
  const at = (id) => document.getElementById(id);
  const dialog = at('confirm');
  at('confirm-call').textContent = call;
  dialog.returnValue = '';
  return new Promise((resolve) => {
    at('confirm-no').onclick = () => dialog.close('');
    at('confirm-yes').onclick = () => dialog.close('yes');
    dialog.onclose = () => resolve(dialog.returnValue === 'yes');
    dialog.showModal();
  });
}

async function readBody(response) {
  const kind = (response.headers.get('content-type') || '').split(';')[0];
  if (/^(image|audio|video|font)\/|pdf|zip|octet-stream/.test(kind)) return { text: t('binary', (await response.arrayBuffer()).byteLength, kind) };
  const text = await response.text();
  if (!/json/.test(kind)) return { text };
  try {
    const value = JSON.parse(text);
    return { text: JSON.stringify(value, null, 2), problem: /problem/.test(kind) ? value.code : null };
  } catch { return { text }; }
}

function showResult(out, result) {
  if (result.failed) return out.replaceChildren(h('p.warn', {}, result.failed));
  const { status, text, problem } = result;
  return out.replaceChildren(
    h('p.outcome', {}, h(`span.status.s${String(status)[0]}`, {}, String(status)), ` ${result.statusText} `, h('span.limit', {}, `${result.ms} ms`),
      problem && h('a', { href: `/problems/${encodeURIComponent(problem)}` }, h('code', {}, problem))),
    h('dl.headers', {}, result.headers.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
    text ? codePanel(t('response'), text.slice(0, CUT)) : h('p.fact', {}, t('noBody')),
    text && text.length > CUT ? h('p.warn', {}, t('cut', CUT)) : '');
}
