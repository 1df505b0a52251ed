//! Lists as Relay connections.

use async_graphql::dynamic::TypeRef;
use bodega_contract::Operation;

use super::types::Types;
use super::{Argument, Field, Object, PagePart, Source};
use crate::names::{Choice, upper};

const PAGE_INFO: &str = "PageInfo";

impl Types<'_> {
    /// The connection of a list, and the arguments that page through it.
    pub(super) fn connection(
        &mut self,
        operation: &Operation,
        stem: &str,
    ) -> (TypeRef, Vec<Argument>) {
        let view = operation.output.schema();
        let node = self.output(view);
        let (edge, connection) = (format!("{view}Edge"), format!("{view}Connection"));
        self.page_info();
        let list = |kind: &str| TypeRef::named_nn_list_nn(kind);
        let fields = vec![
            Field::new("cursor", TypeRef::named_nn(TypeRef::STRING), "Where it is in the list."),
            Field::new("node", TypeRef::NonNull(Box::new(node)), "The object."),
        ];
        let about = "An object and its place in a list.".to_owned();
        self.model.objects.insert(edge.clone(), Object { about, fields, ..Object::default() });
        let fields = vec![
            Field::new("edges", list(&edge), "The objects with their places.")
                .from(Source::Page(PagePart::Edges)),
            Field::new("nodes", list(view), "The objects alone.")
                .from(Source::Page(PagePart::Nodes)),
            Field::new("pageInfo", TypeRef::named_nn(PAGE_INFO), "What is before and after.")
                .from(Source::Page(PagePart::Info)),
            Field::new("totalCount", TypeRef::named_nn(TypeRef::INT), "How many there are in all.")
                .from(Source::Page(PagePart::Total)),
        ];
        let about = "A page of a list.".to_owned();
        self.model
            .objects
            .insert(connection.clone(), Object { about, fields, ..Object::default() });
        (TypeRef::named(connection), self.paging(operation, stem))
    }

    fn paging(&mut self, operation: &Operation, stem: &str) -> Vec<Argument> {
        let plain =
            |name: &str, kind: &str, about: &str| Argument::new(name, TypeRef::named(kind), about);
        let mut all = vec![
            plain(
                "first",
                TypeRef::INT,
                "How many, 1 to 100, from the start or after `after`; 20 \
                where neither `first` nor `last` is given.",
            ),
            plain("after", TypeRef::STRING, "The cursor to go on after."),
            plain("last", TypeRef::INT, "How many, 1 to 100, from the end or before `before`."),
            plain("before", TypeRef::STRING, "The cursor to go back from."),
        ];
        let Some(rules) = &operation.list else { return all };
        let name = format!("{stem}Sort");
        let values = rules.sorts.iter().flat_map(|field| {
            [("asc", "", "smallest"), ("desc", "-", "largest")].map(|(way, sign, first)| Choice {
                name: upper(&format!("{field}_{way}")),
                rest: format!("{sign}{field}"),
                about: format!("By `{field}`, the {first} first."),
            })
        });
        self.choice(&name, "What a list is sorted by.".to_owned(), values.collect());
        all.push(plain("sort", &name, "The order; the newest first where it is not given."));
        if let Some(kind) =
            self.filter(&format!("{stem}Filter"), operation.output.schema(), &rules.filters)
        {
            all.push(Argument::new("filter", kind, "What to show of the list."));
        }
        all
    }

    fn page_info(&mut self) {
        let yes = TypeRef::named_nn(TypeRef::BOOLEAN);
        let place = TypeRef::named(TypeRef::STRING);
        let fields = vec![
            Field::new("hasNextPage", yes.clone(), "Whether there is more after this page."),
            Field::new("hasPreviousPage", yes, "Whether there is something before this page."),
            Field::new("startCursor", place.clone(), "The place of the first object."),
            Field::new("endCursor", place, "The place of the last object."),
        ];
        let about = "What is before and after a page.".to_owned();
        self.model
            .objects
            .insert(PAGE_INFO.to_owned(), Object { about, fields, ..Object::default() });
    }
}
