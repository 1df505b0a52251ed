// A front end that keeps up with the shop: it asks for the brands once, then hears of each change
// over a web socket, with the public client `graphql-ws`. The changes are made here too, through
// REST, so that this can be run as a test: each has to arrive within 100 ms of REST's answer.
// CONFORMANCE_URL and CONFORMANCE_KEY say where, and with what key.

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { CONFORMANCE_URL: url, CONFORMANCE_KEY: key } = process.env;
if (!url || !key) {
  console.error('CONFORMANCE_URL and CONFORMANCE_KEY must be set.');
  process.exit(2);
}

const CHANGES = 10;
const WITHIN_MS = 100;
const GIVE_UP_MS = 15_000;

const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };

const client = createClient({
  url: `${url.replace(/^http/, 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${key}` },
});

const giveUp = setTimeout(() => {
  console.error(`nothing more came within ${GIVE_UP_MS} ms`);
  process.exit(1);
}, GIVE_UP_MS);

const query = `subscription {
  brandChanged { event { type sequence } object { id name website } }
}`;

async function call(method, path, body) {
  const answer = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function main() {
  const page = await call('POST', '/graphql', {
    query: '{ brands(first: 3) { nodes { id name } } }',
  });
  console.log('brands there:', page.data.brands.nodes.map((brand) => brand.name).join(', '));

  const changes = client.iterate({ query });
  const first = changes.next();
  // The first change may come only once the server has begun to follow.
  await new Promise((resolve) => client.on('connected', resolve));
  await new Promise((resolve) => setTimeout(resolve, 300));

  const late = [];
  let next = first;
  let brand = null;
  for (let index = 0; index < CHANGES; index += 1) {
    const name = `Followed ${Date.now()}-${index}`;
    brand = brand
      ? await call('PATCH', `/v1/brands/${brand.id}`, { name })
      : await call('POST', '/v1/brands', { name });
    const answered = performance.now();
    const { value, done } = await next;
    const took = performance.now() - answered;
    if (done || value.errors) throw new Error(`the end: ${JSON.stringify(value)}`);
    const { event, object } = value.data.brandChanged;
    if (object.name !== name) throw new Error(`${object.name} instead of ${name}`);
    console.log(`${event.type} ${event.sequence}: ${took.toFixed(1)} ms`);
    if (took > WITHIN_MS) late.push(took);
    next = changes.next();
  }
  await changes.return();
  clearTimeout(giveUp);
  await client.dispose();
  console.log(`${CHANGES - late.length} of ${CHANGES} changes came within ${WITHIN_MS} ms`);
  process.exit(late.length ? 1 : 0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
