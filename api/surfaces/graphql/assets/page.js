// GraphiQL on this server. The key stays in this tab; subscriptions come as server-sent events.
'use strict';

const STORED = 'bodega-key';
const token = document.getElementById('token');
token.value = sessionStorage.getItem(STORED) ?? '';

const headers = (accept) => ({
  accept,
  'content-type': 'application/json',
  ...(token.value && { authorization: `Bearer ${token.value.trim()}` }),
});

const post = (params, accept) =>
  fetch('/graphql', { method: 'POST', headers: headers(accept), body: JSON.stringify(params) });

// Results one by one, out of the events of an answer that goes on.
async function* follow(params) {
  const answer = await post(params, 'text/event-stream');
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) {
    yield await answer.json();
    return;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let rest = ''; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (rest + value).split('\n\n');
      rest = events.pop();
      for (const event of events) {
        const data = event.split('\n').find((line) => line.startsWith('data: '));
        if (event.startsWith('event: complete')) return;
        if (data) yield JSON.parse(data.slice('data: '.length));
      }
    }
  } finally {
    reader.cancel();
  }
}

async function fetcher(params) {
  const { query, variables, operationName } = params;
  const wanted = { query, variables, operationName };
  if (/^\s*subscription\b/m.test(query)) return follow(wanted);
  const answer = await post(wanted, 'application/graphql-response+json, application/json;q=0.9');
  return answer.json();
}

const { GraphiQL, createElement, createRoot } = globalThis.graphiql;
const root = createRoot(document.getElementById('graphiql'));
const EXAMPLE = `{
  products(first: 3, sort: TITLE_ASC, filter: { status: { in: [ACTIVE] } }) {
    nodes {
      id
      title
      externalId
      variants {
        sku
        retailPrice {
          amount
          currency
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`;
const show = () =>
  root.render(createElement(GraphiQL, { key: token.value, fetcher, defaultQuery: EXAMPLE }));

document.getElementById('key').addEventListener('submit', (event) => event.preventDefault());
token.addEventListener('change', () => {
  sessionStorage.setItem(STORED, token.value);
  show();
});
show();
