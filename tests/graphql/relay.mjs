// The Relay compiler over the schema, with a list that pages, a row that is asked for again as a node,
// mutations and a subscription (`clients/relay`). It has to compile all of them, without a warning.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
// Inside the project, as the compiler wants it.
const made = mkdtempSync(join(here, 'node_modules/.relay-'));
const EXPECTED = [
  'BrandsChangedSubscription', 'BrandsCreateMutation', 'BrandsDeleteMutation', 'BrandsUpdateMutation', 'NodesQuery',
  'ProductsNextQuery', 'ProductsQuery', 'ProductsRowAgainQuery', 'Products_list', 'Products_row',
];

let status = 1;
try {
  const config = join(made, 'relay.json');
  writeFileSync(config, JSON.stringify({
    root,
    sources: { [relative(root, join(here, 'clients/relay'))]: 'shop' },
    excludes: [],
    projects: {
      shop: {
        language: 'typescript',
        schema: 'openapi/schema.graphql',
        output: relative(root, join(made, 'artifacts')),
        eagerEsModules: true,
        customScalarTypes: { Int64: 'number', DateTime: 'string', JSON: 'unknown' },
      },
    },
  }));
  const told = execFileSync('node', [join(here, 'node_modules/relay-compiler/cli.js'), config], {
    cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
  });
  process.stdout.write(told);
  const artifacts = readdirSync(join(made, 'artifacts')).map((name) => name.replace('.graphql.ts', ''));
  const missing = EXPECTED.filter((name) => !artifacts.includes(name));
  if (/\bwarn/i.test(told)) console.log('The compiler warns.');
  else if (missing.length) console.log(`Not compiled: ${missing.join(', ')}`);
  else {
    console.log(`${artifacts.length} artifacts compiled`);
    status = 0;
  }
} catch (error) {
  console.log(`${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`);
} finally {
  rmSync(made, { recursive: true, force: true });
}
process.exit(status);
