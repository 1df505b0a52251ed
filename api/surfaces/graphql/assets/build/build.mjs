// Puts GraphiQL, its editor and its workers into `../vendor`, packed, with the licences of all that is in them.

import { build } from 'esbuild';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const vendor = join(here, '../vendor');

const { outputFiles, metafile } = await build({
  absWorkingDir: here,
  entryPoints: {
    graphiql: 'entry.js',
    'editor.worker': 'node_modules/monaco-editor/esm/vs/editor/editor.worker.js',
    'graphql.worker': 'node_modules/monaco-graphql/esm/graphql.worker.js',
    'json.worker': 'node_modules/monaco-editor/esm/vs/language/json/json.worker.js',
  },
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  legalComments: 'none',
  loader: { '.ttf': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"' },
  outdir: vendor,
  write: false,
  metafile: true,
});

for (const { path, contents } of outputFiles) {
  let content = Buffer.from(contents);
  if (path.endsWith('.css')) {
    // Texts are in the fonts of the system; only the editor's symbols are a font of its own.
    const text = content.toString().replace(/@font-face\{[^}]*\}/g, (face) => (/codicon/.test(face) ? face : ''));
    content = Buffer.from(text);
  }
  const packed = gzipSync(content, { level: 9 });
  writeFileSync(`${path}.gz`, packed);
  console.log(path.slice(vendor.length + 1), content.length, packed.length);
}

const names = new Set(
  Object.keys(metafile.inputs).flatMap((path) => {
    const inside = path.split('node_modules/').pop();
    if (inside === path) return [];
    const parts = inside.split('/');
    return [parts.slice(0, inside.startsWith('@') ? 2 : 1).join('/')];
  }),
);
const texts = [];
const rows = [...names].sort().map((name) => {
  const folder = join(here, 'node_modules', name);
  const { version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json')));
  const file = readdirSync(folder).find((one) => /^licen[sc]e/i.test(one));
  const text = file ? readFileSync(join(folder, file), 'utf8') : `${license}, © ${author?.name ?? author ?? 'its authors'}`;
  texts.push(`── ${name} ${version}\n\n${text.trim()}\n`);
  return `| ${name} | ${version} | ${license} |`;
});
writeFileSync(join(vendor, 'LICENSES.txt'), texts.join('\n'));
const notice = readFileSync(join(vendor, 'NOTICE.md'), 'utf8');
const table = `| package | version | licence |\n|---|---|---|\n${rows.join('\n')}\n`;
writeFileSync(join(vendor, 'NOTICE.md'), notice.replace(/\| package \|[^]*?\n(?=\n)/, table));
