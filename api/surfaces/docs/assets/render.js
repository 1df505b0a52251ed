// From the OpenAPI document to what the page shows of an operation.

import { t, lang } from './strings.js';
import { h, md, inline } from './dom.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];
let doc = {};

/* ---------- the document ---------- */

const pointer = (ref) => (ref.startsWith('#/') ? ref.slice(2).split('/') : [])
  .reduce((node, part) => node && node[decodeURIComponent(part).replace(/~1/g, '/').replace(/~0/g, '~')], doc);

/** Follows $ref; keys next to a $ref win, as OpenAPI 3.1 says. */
export function deref(node, refs = []) {
  let at = node && typeof node === 'object' ? node : {};
  while (typeof at.$ref === 'string' && refs.length < 20) {
    const { $ref, ...own } = at;
    refs.push($ref);
    at = { ...(pointer($ref) || {}), ...own };
  }
  return at;
}

/** Takes the document; gives its operations in order, each ready to show. */
export function readDocument(openapi) {
  doc = openapi;
  const list = [];
  for (const [path, item] of Object.entries(doc.paths || {})) {
    for (const method of METHODS.filter((name) => item[name])) {
      const op = item[method];
      const params = new Map();
      for (const raw of [...(item.parameters || []), ...(op.parameters || [])]) {
        const param = deref(raw);
        if (param.name) params.set(`${param.in} ${param.name}`, param);
      }
      const request = deref(op.requestBody);
      const security = op.security || doc.security || [];
      list.push({
        ...op, method, path, request,
        id: op.operationId || `${method}:${path}`,
        title: op.summary || op.operationId || path,
        tag: (op.tags || [])[0] || 'API',
        params: [...params.values()],
        media: pickMedia(request.content),
        answers: Object.entries(op.responses || {}).map(([code, raw]) => ({ code, ...deref(raw) })),
        isPublic: !security.length || security.some((one) => !Object.keys(one).length),
      });
    }
  }
  return list;
}

function pickMedia(content) {
  const kinds = Object.keys(content || {});
  const kind = kinds.find((name) => /json/.test(name)) || kinds[0];
  return kind ? { kind, ...content[kind] } : null;
}

/** The first answer that is a success, with its JSON body if it has one. */
export function success(op) {
  const answer = op.answers.find(({ code }) => code.startsWith('2')) || op.answers[0];
  return answer ? { ...answer, media: pickMedia(answer.content) } : null;
}

/* ---------- schemas ---------- */

/** A schema with $ref and allOf merged, and null taken out of its type. */
function resolve(schema, depth = 0) {
  const refs = [];
  let s = { ...deref(schema, refs) };
  let nullable = false;
  let name = refs.length ? decodeURIComponent(refs[0].split('/').pop()) : '';
  const own = s.properties;
  const merge = (part) => {
    const base = resolve(part, depth + 1);
    refs.push(...base.refs);
    nullable = nullable || base.nullable;
    name = name || base.name;
    s = {
      ...base.s, ...s,
      properties: base.s.properties || s.properties ? { ...s.properties, ...base.s.properties, ...own } : undefined,
      required: [...(base.s.required || []), ...(s.required || [])],
    };
  };
  if (s.allOf && depth < 12) {
    const parts = s.allOf;
    delete s.allOf;
    const given = name;
    const extended = parts.length > 1 || own;
    parts.forEach(merge);
    if (extended) name = given;
  }
  for (const key of ['oneOf', 'anyOf']) {
    if (!s[key]) continue;
    const some = s[key].filter((one) => deref(one).type !== 'null');
    nullable = nullable || some.length < s[key].length;
    if (some.length === 1 && depth < 12) {
      delete s[key];
      merge(some[0]);
    } else s.variants = some;
  }
  if (Array.isArray(s.type)) {
    const some = s.type.filter((one) => one !== 'null');
    nullable = nullable || some.length < s.type.length;
    s.type = some.length > 1 ? some : some[0];
  }
  return { s, refs, name, nullable };
}

const isList = (s) => s.type === 'array' || Boolean(s.items);
const mapOf = (s) => (s.additionalProperties && typeof s.additionalProperties === 'object' ? s.additionalProperties : null);

export function typeLabel(schema, depth = 0) {
  if (depth > 5) return '…';
  const { s, name, nullable } = resolve(schema);
  const inner = (one) => typeLabel(one, depth + 1);
  let label;
  if ('const' in s) label = JSON.stringify(s.const);
  else if (isList(s)) label = inner(s.items).replace(/^(.* \| .*)$/, '($1)') + '[]';
  else if (s.variants) label = name || s.variants.map(inner).join(' | ');
  else if (s.properties) label = name || s.title || 'object';
  else if (mapOf(s)) label = `map of ${inner(mapOf(s))}`;
  else label = [s.type || (s.enum ? typeof s.enum[0] : 'any')].flat().join(' | ') + (s.format ? ` · ${s.format}` : '');
  return nullable ? `${label} | null` : label;
}

/** Limits of a value, as short texts. */
function limits(s) {
  const has = (key) => s[key] !== undefined;
  const range = (low, high) => {
    if (!low && high === undefined) return low === 0 && '≥ 0';
    return high === undefined ? `≥ ${low}` : low === undefined ? `≤ ${high}` : low === high ? String(low) : `${low} – ${high}`;
  };
  const size = (key, low, high) => {
    const text = range(low || undefined, high);
    return text && t(key, text);
  };
  return [
    range(s.minimum, s.maximum),
    has('exclusiveMinimum') && `> ${s.exclusiveMinimum}`,
    has('exclusiveMaximum') && `< ${s.exclusiveMaximum}`,
    has('multipleOf') && t('multiple', s.multipleOf),
    size('chars', s.minLength, s.maxLength),
    size('items', s.minItems, s.maxItems),
    s.uniqueItems && t('unique'),
    s.readOnly && t('readOnly'),
    s.writeOnly && t('writeOnly'),
  ].filter(Boolean);
}

/** Everything about a value below its name and type. */
function facts(schema, description) {
  const { s } = resolve(schema);
  const values = s.enum || (isList(s) && resolve(s.items).s.enum);
  const text = description || s.description;
  const line = (label, ...kids) => h('p.fact', {}, h('span.fact-name', {}, label), ' ', ...kids);
  return [
    text && md(text),
    values && line(t('oneOfValues'), values.map((one) => [h('code.value', {}, String(one)), ' '])),
    s.default !== undefined && line(t('fallback'), h('code', {}, JSON.stringify(s.default))),
    s.pattern && line(t('pattern'), h('code', {}, s.pattern)),
  ].filter(Boolean);
}

/** A <details> whose inside is built the first time it opens. */
export function lazy(spec, summary, build, open) {
  const box = h(spec, {}, h('summary', {}, summary));
  box.fill = () => { if (box.childElementCount === 1) box.append(...build()); };
  box.addEventListener('toggle', () => box.open && box.fill());
  if (open) { box.fill(); box.open = true; }
  return box;
}

function openAll(root) {
  for (const box of root.querySelectorAll('details:not([open])')) {
    box.fill();
    box.open = true;
    openAll(box);
  }
}

function hasFields(schema, depth = 0) {
  const { s } = resolve(schema);
  const inner = (one) => depth < 5 && hasFields(one, depth + 1);
  if (isList(s)) return inner(s.items);
  return Object.keys(s.properties || {}).length > 0 || (s.variants || []).some(inner) || Boolean(mapOf(s) && inner(mapOf(s)));
}

/** The fields inside a schema. `hidden` is the flag to leave out: readOnly in requests, writeOnly in answers. */
function fields(schema, hidden, above = []) {
  const { s, refs, name } = resolve(schema);
  if (refs.some((ref) => above.includes(ref))) return [h('p.fact', {}, t('recursive', name))];
  const seen = [...above, ...refs];
  if (isList(s)) return fields(s.items, hidden, seen);
  const rows = Object.entries(s.properties || {}).filter(([, one]) => !resolve(one).s[hidden])
    .map(([key, one]) => field(key, one, (s.required || []).includes(key), hidden, seen));
  if (mapOf(s) && hasFields(mapOf(s))) rows.push(field('{key}', mapOf(s), false, hidden, seen));
  return [
    rows.length > 0 && h('ul.fields', {}, rows),
    (s.variants || []).map((one, n) => lazy('details.variant', [t('variant', n + 1), ' ', h('span.type', {}, typeLabel(one))],
      () => [...facts(one), ...fields(one, hidden, seen)], n === 0 && rows.length === 0)),
  ].flat().filter(Boolean);
}

function field(key, schema, required, hidden, seen) {
  const { s } = resolve(schema);
  const label = typeLabel(schema);
  // The one list inside a page is what people came for: open it.
  const open = key === 'data' && seen.length < 2;
  return h('li.field', {},
    h('p.field-head', {}, h('code.field-name', {}, key), h('span.type', {}, label),
      required && h('span.required', {}, t('required')),
      s.deprecated && h('span.tag-warn', {}, t('deprecated')),
      limits(s).map((one) => h('span.limit', {}, one))),
    facts(schema),
    hasFields(schema) && lazy('details.more', t('fields', label.replace(/ \| null$/, '')), () => fields(schema, hidden, seen), open));
}

/** A schema as a tree, with a button that opens all of it. */
function tree(schema, hidden) {
  const label = typeLabel(schema);
  const box = h('div.tree', {}, fields(schema, hidden));
  const inner = box.querySelector('details');
  const all = inner && h('button.plain', { type: 'button', onclick: () => openAll(box) }, t('expandAll'));
  return h('div', {}, h('div.tree-bar', {}, h('span.type', {}, label), all), box.childElementCount ? box : facts(schema));
}

/* ---------- examples ---------- */

const FORMATS = {
  'date-time': '2026-01-15T09:30:00Z', date: '2026-01-15', uuid: '0198c2f4-7d1e-7a53-9f0b-3c1a5e2d8b47',
  uri: 'https://example.com/', email: 'ana@example.com',
};

/** The example a schema carries, or one made from its types. */
export function exampleOf(schema, hidden, above = []) {
  const { s, refs } = resolve(schema);
  const given = [s.example, (s.examples || [])[0], s.const, s.default, (s.enum || [])[0]].find((one) => one !== undefined && one !== null);
  if (given !== undefined) return given;
  if (refs.some((ref) => above.includes(ref))) return undefined;
  const seen = [...above, ...refs];
  if (isList(s)) return [exampleOf(s.items, hidden, seen)].filter((one) => one !== undefined);
  if (s.properties) {
    const pairs = Object.entries(s.properties).map(([key, one]) => [key, one, resolve(one).s])
      .filter(([key, , one]) => !one[hidden] && (hidden === 'writeOnly' || (s.required || []).includes(key) || one.example !== undefined || one.examples))
      .map(([key, one]) => [key, exampleOf(one, hidden, seen)]);
    return Object.fromEntries(pairs.filter(([, one]) => one !== undefined));
  }
  if (s.variants) return exampleOf(s.variants[0], hidden, seen);
  if (mapOf(s)) return { key: exampleOf(mapOf(s), hidden, seen) };
  const made = { integer: s.minimum || 1, number: s.minimum || 1, boolean: true, object: {}, string: FORMATS[s.format] || 'text' };
  return made[[s.type].flat()[0]];
}

/** Named examples of a media type or parameter; never empty when one can be made. */
export function examplesOf(media, hidden) {
  const named = Object.entries(media.examples || {}).map(([name, raw]) => ({ name: deref(raw).summary || name, value: deref(raw).value }));
  if (named.length) return named;
  return [{ name: '', value: media.example !== undefined ? media.example : exampleOf(media.schema, hidden) }];
}

export const schemaOf = (schema) => resolve(schema).s;

/* ---------- an operation ---------- */

export const badge = (method) => h(`span.method.${method}`, {}, method.toUpperCase());

export const pathText = (path) => path.split(/(\{[^}]+\})/).map((part) => (part.startsWith('{') ? h('span.hole', {}, part) : part));

const section = (title, ...kids) => h('section', {}, h('h2', {}, title), ...kids);

function paramTable(where, params) {
  const th = (key) => h('th', { scope: 'col', role: 'columnheader' }, t(key));
  const td = (spec, ...kids) => h(spec, { role: 'cell' }, ...kids);
  return h('table.params', { role: 'table' },
    h('caption', {}, t('params', t(`in_${where}`))),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, th('name'), th('type'), th('description'))),
    h('tbody', { role: 'rowgroup' }, params.map((param) => {
      const s = schemaOf(param.schema);
      return h('tr', { role: 'row' },
        td('td', h('code.field-name', {}, param.name), param.required && h('span.required', {}, t('required')),
          (param.deprecated || s.deprecated) && h('span.tag-warn', {}, t('deprecated'))),
        td('td', h('span.type', {}, typeLabel(param.schema)), limits(s).map((one) => h('span.limit', {}, one))),
        td('td', facts(param.schema, param.description)));
    })));
}

function answerBox(answer, open) {
  const kinds = Object.entries(answer.content || {});
  return lazy('details.answer', [h(`span.status.s${answer.code[0]}`, {}, answer.code), ' ', h('span.answer-text', { lang: 'en' }, inline(answer.description || ''))], () => [
    kinds.map(([kind, media]) => [h('h3', {}, h('code', {}, kind)), media.schema && tree(media.schema, 'writeOnly')]),
    !kinds.length && h('p.fact', {}, t('noBody')),
    answer.headers && lazy('details.more', t('answerHeaders', Object.keys(answer.headers).length), () => [h('ul.fields', {}, Object.entries(answer.headers).map(([name, raw]) => {
      const header = deref(raw);
      return h('li.field', {}, h('p.field-head', {}, h('code.field-name', {}, name), h('span.type', {}, typeLabel(header.schema))), facts(header.schema, header.description));
    }))]),
  ].flat(2).filter(Boolean), open);
}

/** Title, facts, parameters, body and answers of an operation. */
export function operationView(op, aside, toTry) {
  const chips = (items) => items.map((one) => [h('code.chip', {}, one), ' ']);
  const fact = (key, ...kids) => h('div', {}, h('dt', {}, t(key)), h('dd', {}, ...kids));
  const first = op.answers.find(({ code }) => code.startsWith('2'));
  const scopes = op['x-scopes'] || [];
  const events = op['x-events'] || [];
  const problems = op['x-problems'] || [];
  const groups = ['path', 'query', 'header', 'cookie'].map((where) => [where, op.params.filter((param) => param.in === where)]);
  return h('article.op', {},
    h('header.op-head', {},
      h('p.crumb', {}, h('span', { lang: 'en' }, op.tag), h('code', {}, op.id)),
      h('h1', { tabindex: '-1', lang: 'en' }, op.title, op.deprecated && h('span.tag-warn', { lang: lang() }, t('deprecated'))),
      h('div.call', {}, badge(op.method), h('code.path', {}, pathText(op.path)), h('button', { type: 'button', onclick: toTry }, t('tryIt')))),
    aside,
    h('div.op-text', {},
      op.description && md(op.description),
      h('dl.meta', {},
        (op.isPublic || scopes.length > 0) && fact('scopes', op.isPublic ? t('noKey') : chips(scopes)),
        events.length > 0 && fact('events', chips(events)),
        op['x-cost'] !== undefined && fact('cost', String(op['x-cost']))),
      groups.filter(([, params]) => params.length).map(([where, params]) => paramTable(where, params)),
      op.media && section(t('body'),
        h('p.fact', {}, h('code', {}, op.media.kind), ' ', op.request.required && h('span.required', {}, t('required'))),
        op.request.description && md(op.request.description),
        op.media.schema && tree(op.media.schema, 'readOnly')),
      section(t('responses'), op.answers.map((answer) => answerBox(answer, answer === first || op.answers.length === 1))),
      problems.length > 0 && section(t('problems'), h('ul.problems', {}, problems.map((code) =>
        h('li', {}, h('a', { href: `/problems/${encodeURIComponent(code)}` }, h('code', {}, code))))))));
}
