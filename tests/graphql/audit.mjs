// The audit of GraphQL over HTTP (https://github.com/graphql/graphql-http), against a started server.
// CONFORMANCE_URL and CONFORMANCE_KEY say which, and with what key. All of it has to pass.

import { auditServer } from 'graphql-http';

const { CONFORMANCE_URL: url, CONFORMANCE_KEY: key } = process.env;
if (!url || !key) {
  console.error('CONFORMANCE_URL and CONFORMANCE_KEY must be set.');
  process.exit(2);
}

const fetchFn = (input, init = {}) =>
  fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${key}` } });

const results = await auditServer({ url: `${url}/graphql`, fetchFn });
const failed = results.filter((result) => result.status !== 'ok');
for (const { id, name, status, reason } of failed) {
  console.log(`${status.padEnd(6)} ${id} ${name}: ${reason}`);
}
console.log(`${results.length - failed.length} of ${results.length} audits passed`);
process.exit(failed.length || results.length < 61 ? 1 : 0);
