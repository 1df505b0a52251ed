// graphql-codegen over the schema (`typescript` and `typescript-operations`), with the operations of a small client
// (`clients/codegen/operations.graphql`). TypeScript then compiles all the types that were made, and a program over them
// (`clients/codegen/use.ts`).

import { codegen } from '@graphql-codegen/core';
import * as typescript from '@graphql-codegen/typescript';
import * as operations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const config = { scalars: { Int64: 'number', DateTime: 'string', JSON: 'unknown' }, strictScalars: false };
const read = (path) => parse(readFileSync(join(here, path), 'utf8'));
const schema = read('../../openapi/schema.graphql');
const location = 'clients/codegen/operations.graphql';
const documents = [{ location, document: read(location) }];

const made = mkdtempSync(join(here, 'node_modules/.codegen-'));
let status = 1;
try {
  for (const [filename, plugin] of Object.entries({ 'schema.ts': typescript, 'made.ts': operations })) {
    const plugins = { schema, documents, plugins: [{ plugin: {} }], pluginMap: { plugin }, filename, config };
    writeFileSync(join(made, filename), await codegen(plugins));
  }
  copyFileSync(join(here, 'clients/codegen/use.ts'), join(made, 'use.ts'));
  const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--ignoreConfig'];
  const files = ['schema.ts', 'use.ts'].map((name) => join(made, name));
  execFileSync('node', [join(here, 'node_modules/typescript/bin/tsc'), ...options, ...files], { stdio: 'pipe' });
  console.log('the types of the schema and of the operations compile, and so does a program over them');
  status = 0;
} catch (error) {
  console.log(`${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`);
} finally {
  rmSync(made, { recursive: true, force: true });
}
process.exit(status);
