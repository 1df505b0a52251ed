// A program over the types that graphql-codegen makes: it is compiled, not run. What the schema calls things,
// what it takes and what it gives has to be what is written here.

import type { BrandUpdateMutationVariables, NodesQuery, ProductRowFragment, ProductsQueryVariables } from './made.js';

export const next: ProductsQueryVariables = {
  first: 20,
  after: null,
  filter: { status: { in: ['ACTIVE'] }, brandId: { isNull: false }, createdAt: { gte: '2026-01-01T00:00:00Z' } },
};

export const change: BrandUpdateMutationVariables = {
  input: { id: 'brand_01h455vb4pex5vsknk084sn02q', externalId: 'B-7', ifMatch: 3 },
};

// @ts-expect-error An update says of what.
export const aimless: BrandUpdateMutationVariables = { input: { name: 'Casa Norte' } };

export function price(product: ProductRowFragment): string {
  const price = product.variants[0]?.prices[0]?.unitPrice;
  return product.status === 'ARCHIVED' || !price ? '' : `${price.amount / 100} ${price.currency}`;
}

export function names(told: NodesQuery): string[] {
  return (told.nodes ?? []).flatMap((node) => (node?.__typename === 'Brand' ? [node.name] : []));
}
