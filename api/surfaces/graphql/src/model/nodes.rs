//! What can be asked for by its id alone: Relay's global object identification. The prefix of an id says
//! of which type it is.

use async_graphql::dynamic::TypeRef;

use super::types::Types;
use super::{Argument, Field, NODE, Node, Source};

impl Types<'_> {
    /// Makes nodes of all objects that are got by an id, and gives the fields that ask for them.
    pub(super) fn nodes(&mut self) -> Vec<Field> {
        for (index, operation) in self.registry.operations().iter().enumerate() {
            if operation.by_ids.is_none() {
                continue;
            }
            let name = operation.output.schema().to_owned();
            if let Some(object) = self.model.objects.get_mut(&name) {
                object.is_node = true;
            }
            let node = Node { name, operation: index };
            if let Some(other) = self.model.nodes.insert(operation.prefix, node) {
                let fault = format!("{}: ids like those of {}", operation.id, other.name);
                self.model.faults.push(fault);
            }
        }
        let id = TypeRef::named_nn(TypeRef::ID);
        let one = Argument::new("id", id, "The object's id.");
        let several =
            Argument::new("ids", TypeRef::named_nn_list_nn(TypeRef::ID), "Up to 100 ids.");
        let about_one = "Any object by its id, whatever its type; it takes the scope to read it.";
        let about_several = "Any objects by their ids, in this order; null for what is not there.";
        vec![
            Field {
                arguments: vec![one],
                source: Source::Node,
                ..Field::new("node", TypeRef::named(NODE), about_one)
            },
            Field {
                arguments: vec![several],
                source: Source::Nodes,
                ..Field::new("nodes", TypeRef::named_list(NODE), about_several)
            },
        ]
    }
}
