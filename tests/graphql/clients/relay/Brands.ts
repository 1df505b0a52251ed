// Changes: made by mutations, and heard of by a subscription.

import { graphql } from 'relay-runtime';

export const create = graphql`
  mutation BrandsCreateMutation($input: BrandCreateInput!, $connections: [ID!]!) {
    brandCreate(input: $input) @appendNode(connections: $connections, edgeTypeName: "BrandEdge") {
      id
      name
    }
  }
`;

export const update = graphql`
  mutation BrandsUpdateMutation($input: BrandUpdateInput!) {
    brandUpdate(input: $input) {
      id
      name
      externalId
      version
    }
  }
`;

export const remove = graphql`
  mutation BrandsDeleteMutation($id: ID!) {
    brandDelete(id: $id) {
      deleted
    }
  }
`;

export const changed = graphql`
  subscription BrandsChangedSubscription {
    brandChanged {
      event {
        type
        sequence
      }
      object {
        id
        name
      }
    }
  }
`;
