// What the page needs, as one script.

import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';

// The editors look at what is written in workers, which come from here too.
const WORKERS = { graphql: 'graphql.worker.js', json: 'json.worker.js' };
globalThis.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(`/graphiql/assets/${WORKERS[label] ?? 'editor.worker.js'}`),
};

globalThis.graphiql = { GraphiQL, createElement, createRoot };
