//! From the registry to the model.

use std::collections::HashSet;

use async_graphql::dynamic::TypeRef;
use bodega_contract::{Kind, Leads, Link, Operation, Registry};

use super::types::{INT64, Types, required};
use super::{Argument, Field, MUTATION, Model, Object, QUERY, SUBSCRIPTION, Source, named};
use crate::follow;
use crate::names::{camel, is_name};

impl Model {
    /// Everything that the registry has, as GraphQL says it. Where it has a log that can be followed,
    /// there are subscriptions to it.
    pub(crate) fn new(registry: &Registry) -> Self {
        let model = Self {
            objects: Default::default(),
            inputs: Default::default(),
            enums: Default::default(),
            scalars: Default::default(),
            nodes: Default::default(),
            faults: Vec::new(),
        };
        let mut types = Types { registry, model };
        types.scalars();
        let (mut queries, mut mutations) = (Vec::new(), Vec::new());
        for (index, operation) in registry.operations().iter().enumerate() {
            let field = types.root_field(index, operation);
            let fields = if operation.kind == Kind::Query { &mut queries } else { &mut mutations };
            fields.push(field);
        }
        types.links();
        queries.extend(types.nodes());
        let root =
            |about: &str, fields| Object { about: about.to_owned(), fields, ..Object::default() };
        let roots = [
            (QUERY, root("What can be read.", queries)),
            (
                MUTATION,
                root("What can be changed, each field in a transaction of its own.", mutations),
            ),
        ];
        for (name, object) in roots {
            types.unique(name, &object);
            types.model.objects.insert(name.to_owned(), object);
        }
        if let Some(feed) = follow::feed(registry) {
            let fields = types.subscriptions(feed);
            let object = root("What can be followed as it happens.", fields);
            types.model.objects.insert(SUBSCRIPTION.to_owned(), object);
        }
        types.model.forget_unused();
        types.model.say_own_names();
        types.model
    }
}

impl Model {
    /// Leaves out the scalars that nothing is made of.
    fn forget_unused(&mut self) {
        let fields = self.objects.values().flat_map(|object| &object.fields);
        let arguments = fields.clone().flat_map(|field| &field.arguments);
        let arguments = arguments.chain(self.inputs.values().flat_map(|input| &input.fields));
        let used = fields.map(|field| &field.kind).chain(arguments.map(|one| &one.kind));
        let used: HashSet<_> = used.map(|kind| named(kind).to_owned()).collect();
        self.scalars.retain(|name, _| used.contains(name));
    }
}

impl Types<'_> {
    /// The links of each resource, as fields of its objects.
    fn links(&mut self) {
        for (resource, _) in self.registry.resources() {
            let Some(view) = self.registry.view(resource) else { continue };
            let mut fields = Vec::new();
            for link in self.registry.links(resource) {
                let Some(target) = self.registry.view(link.target) else { continue };
                if !is_name(link.name) {
                    let fault = format!("{view}.{}: no name in GraphQL", link.name);
                    self.model.faults.push(fault);
                }
                fields.push(self.link(link, target));
            }
            let Some(object) = self.model.objects.get_mut(view) else { continue };
            object.resource = Some(resource);
            object.fields.extend(fields);
        }
        let faults: Vec<_> =
            self.model.objects.iter().flat_map(|(name, object)| twice(name, object)).collect();
        self.model.faults.extend(faults);
    }

    /// A link to objects of this schema, as a field.
    fn link(&mut self, link: &Link, target: &str) -> Field {
        let said = spoken(link.name);
        let (kind, about, source) = match (&link.leads, self.registry.list(link.target)) {
            (Leads::One(_), _) => {
                let about = format!("The {said} that `{}` names.", link.key);
                (self.output(target), about, Source::Link)
            }
            (Leads::Pages { .. }, Some(list)) => {
                let (kind, mut arguments) = self.connection(list, target);
                // Each object's list is read from its start, or on from a place in it.
                arguments.retain(|one| !["last", "before"].contains(&one.name.as_str()));
                let about = format!("Its {said}, page by page.");
                let field = Field::of(link.name, required(kind, true), about);
                return Field { arguments, source: Source::Pages, ..field };
            }
            (Leads::Few { max, .. }, _) => {
                let items = TypeRef::List(Box::new(required(self.output(target), true)));
                let about = format!("Its {said}, never more than {max}.");
                (required(items, true), about, Source::Link)
            }
            (Leads::Pages { .. }, None) => {
                self.model.faults.push(format!("{}: pages of no list", link.name));
                (self.output(target), String::new(), Source::Link)
            }
        };
        Field { source, ..Field::of(link.name, kind, about) }
    }

    fn unique(&mut self, name: &str, object: &Object) {
        self.model.faults.extend(twice(name, object));
    }

    /// What can be followed: every event, and the changes of each resource's objects.
    fn subscriptions(&mut self, feed: &Operation) -> Vec<Field> {
        let event = required(self.output(feed.output.schema()), true);
        let types = Argument::new(
            "types",
            TypeRef::named_nn_list(TypeRef::STRING),
            "Only events of these types: `order.confirmed`, or `order.*`.",
        );
        let objects = Argument::new(
            "objects",
            TypeRef::named_nn_list(TypeRef::ID),
            "Only events of these objects.",
        );
        let about = "Every change of the organization's objects, as it happens.";
        let mut fields = vec![Field {
            arguments: vec![types, objects, after()],
            source: Source::Changes(None),
            ..Field::new("events", event.clone(), about)
        }];
        let resources: Vec<_> = self.registry.resources().map(|(name, _)| name).collect();
        for resource in resources {
            let changes = self.registry.operations().iter();
            let mut changes =
                changes.filter(|one| one.resource == resource && one.kind == Kind::Command);
            let Some(view) = self.registry.view(resource).filter(|_| changes.next().is_some())
            else {
                continue;
            };
            let name = format!("{view}Change");
            let object = self.output(view);
            let about = format!(
                "The {} as it is after the change; as it last was, where it was \
                removed.",
                spoken(resource)
            );
            let fields_of = vec![
                Field::new("event", event.clone(), "The change."),
                Field::new("object", required(object, true), about),
            ];
            let about =
                format!("A change of one of the organization's objects ({}).", spoken(resource));
            let change = Object { about, fields: fields_of, ..Object::default() };
            self.model.objects.insert(name.clone(), change);
            let id = Argument::new("id", TypeRef::named(TypeRef::ID), "Only of this object.");
            let about = format!("Changes of objects of this kind ({}).", spoken(resource));
            fields.push(Field {
                arguments: vec![id, after()],
                source: Source::Changes(Some(resource)),
                ..Field::new(camel(resource) + "Changed", TypeRef::named_nn(name), about)
            });
        }
        fields
    }
}

fn after() -> Argument {
    let about = "Begin with what came after this place in the log, instead of now.";
    Argument::new("after", TypeRef::named(INT64), about)
}

fn twice(name: &str, object: &Object) -> Vec<String> {
    let mut seen = HashSet::new();
    let again = object.fields.iter().filter(|field| !seen.insert(field.name.as_str()));
    again.map(|field| format!("{name}.{}: there twice", field.name)).collect()
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}
