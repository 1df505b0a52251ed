// The schema against all of @graphql-eslint's rules for schemas, those for Relay too. What is let pass is listed with its
// reason; a finding that is not listed fails, and so does an entry of the list that nothing needs any more.

import graphql from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LET_PASS = [
  {
    rule: 'alphabetize',
    reason: 'Members stand in the order of the contract, as in REST: the id first, then what matters most.',
  },
  {
    rule: 'no-root-type',
    says: /Root type `(Mutation|Subscription)` is forbidden/,
    reason: 'The rule is for schemas that only read.',
  },
  {
    rule: 'require-field-of-type-query-in-mutation-result',
    reason: 'A mutation answers with the object itself, as REST does. What else changed, subscriptions tell.',
  },
  {
    rule: 'input-name',
    says: /^Input ("(id|ifMatch|idempotencyKey)"|type `(ID|Int64|String)` name)/,
    reason: 'What takes an id alone has it as an argument, with the guards of the call; all else has one `input`.',
  },
  {
    rule: 'strict-id-in-types',
    says: /type "(\w+(Connection|Edge|Change)|PageInfo)"/,
    reason: 'A page, a place in it and a change that is told are not objects: what is in them has an id.',
  },
  {
    rule: 'strict-id-in-types',
    says: /type "(\w+Pair|Dimensions|Money|ProductOption|WebhookSecret)"/,
    reason: 'A value, a part of the object that has it.',
  },
  {
    rule: 'strict-id-in-types',
    says: /type "(BatchResults?|Deleted|EventSamples|NewOrganization|WebhookExplanation|WebhookCheck|WebhookReplayed)"/,
    reason: 'The answer to one call, and to be asked for again by nobody.',
  },
  {
    rule: 'strict-id-in-types',
    says: /type "(EventTypes?|EventTypeSummary)"/,
    reason: 'A type of event is known by its name, `product.created`.',
  },
  {
    rule: 'naming-convention',
    says: /^Type "EventType" should not have "Type" suffix$/,
    reason: 'It is a type of event: the word is a part of its name.',
  },
  {
    rule: 'relay-arguments',
    says: /^Field `(attempts|children|products)` must contain an argument `(last|before)`/,
    reason: 'The pages of a link go forward only: a list of its own, filtered by the parent, goes both ways.',
  },
  {
    rule: 'no-typename-prefix',
    says: /^Field "deleted" .* "Deleted"$/,
    reason: 'The answer to a removal has this one member, as in REST.',
  },
];

const here = dirname(fileURLToPath(import.meta.url));
const schema = join(here, '../../openapi/schema.graphql');
const eslint = new ESLint({
  cwd: here,
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ['**/*.graphql'],
      plugins: { '@graphql-eslint': graphql },
      languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
      rules: {
        ...graphql.configs['flat/schema-all'].rules,
        ...graphql.configs['flat/schema-relay'].rules,
        // Nodes are what stands in edges; that everything else that is a list were one is not Relay's.
        '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
        // A reason is one sentence with its dates in it: `@deprecated` has no argument for them.
        '@graphql-eslint/require-deprecation-date': 'off',
        '@graphql-eslint/input-name': ['error', { checkInputType: true, caseSensitiveInputType: false }],
      },
    },
  ],
});

const [{ messages }] = await eslint.lintText(readFileSync(schema, 'utf8'), { filePath: join(here, 'schema.graphql') });
const used = new Set();
const findings = messages.filter(({ ruleId, message }) => {
  const passes = LET_PASS.filter(({ rule, says }) => ruleId === `@graphql-eslint/${rule}` && (says?.test(message) ?? true));
  passes.forEach((one) => used.add(one));
  return !passes.length;
});
for (const { line, ruleId, message } of findings) console.log(`${line}: ${message} (${ruleId})`);
const stale = LET_PASS.filter((one) => !used.has(one));
for (const { rule, says } of stale) console.log(`Let pass, but not found: ${rule} ${says ?? ''}`);
console.log(`${findings.length} findings; ${messages.length - findings.length} let pass, for ${used.size} reasons`);
process.exit(findings.length || stale.length ? 1 : 0);
