// A list that goes on where it ended, row by row, and a row that is asked for again by its id.

import { graphql } from 'relay-runtime';

export const query = graphql`
  query ProductsQuery($count: Int!, $cursor: String) {
    ...Products_list @arguments(count: $count, cursor: $cursor)
  }
`;

export const list = graphql`
  fragment Products_list on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" })
  @refetchable(queryName: "ProductsNextQuery") {
    products(
      first: $count
      after: $cursor
      sort: TITLE_ASC
      filter: { status: { in: [ACTIVE] }, createdAt: { gte: "2026-01-01T00:00:00Z" } }
    ) @connection(key: "Products_products") {
      totalCount
      edges {
        node {
          ...Products_row
        }
      }
    }
  }
`;

export const row = graphql`
  fragment Products_row on Product @refetchable(queryName: "ProductsRowAgainQuery") {
    title
    status
    externalId
    brand {
      name
    }
    variants {
      sku
      prices {
        unitPrice {
          amount
          currency
        }
      }
    }
  }
`;
