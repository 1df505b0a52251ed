// Objects by their ids alone, whatever their types.

import { graphql } from 'relay-runtime';

export const query = graphql`
  query NodesQuery($id: ID!, $ids: [ID!]!) {
    node(id: $id) {
      __typename
      id
      ... on Brand {
        name
      }
    }
    nodes(ids: $ids) {
      id
      ... on Product {
        title
      }
      ... on Variant {
        retailPrice {
          amount
          currency
        }
      }
    }
  }
`;
