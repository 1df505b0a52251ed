//! The list of all resources: routes, links and schemas, and the lint that keeps it whole.

use std::collections::{BTreeMap, HashMap, HashSet};

use bodega_kernel::{Event, LINKED_MAX};
use serde_json::Value;

use crate::list::is_type;
use crate::{
    Declared, FilterKind, FilterRule, Kind, Leads, Life, Link, Method, Operation, Output, Schemas,
    Transition, id_prefix, transition,
};

/// Every resource there is.
pub struct Registry {
    resources: Vec<ResourceEntry>,
    operations: Vec<Operation>,
    routes: HashMap<String, Vec<(Method, usize)>>,
    events: BTreeMap<&'static str, &'static Event>,
    schemas: Schemas,
    faults: Vec<String>,
}

struct ResourceEntry {
    name: &'static str,
    about: &'static str,
    links: Vec<Link>,
    life: Option<Life>,
    prefix: &'static str,
}

/// Where a path leads.
pub enum Route<'a> {
    /// To this operation, on the object with this id.
    To(&'a Operation, Option<String>),
    /// Only these methods lead anywhere from here.
    OtherMethods(Vec<Method>),
    /// Nowhere.
    Nowhere,
}

impl Registry {
    /// Puts the declared resources together.
    pub fn new(declared: impl IntoIterator<Item = Declared>) -> Self {
        let mut registry = Self {
            resources: Vec::new(),
            operations: Vec::new(),
            routes: HashMap::new(),
            events: BTreeMap::new(),
            schemas: Schemas::default(),
            faults: Vec::new(),
        };
        for resource in declared {
            for event in resource.events() {
                let before = registry.events.insert(event.name, event);
                if before.is_some_and(|before| before.about != event.about) {
                    registry.faults.push(format!("{}: an event with two texts", event.name));
                }
            }
            registry.faults.extend(transition::lint(&resource));
            registry.faults.extend(resource.faults);
            registry.schemas.merge(resource.schemas);
            registry.operations.extend(resource.operations);
            registry.resources.push(ResourceEntry {
                name: resource.name,
                about: resource.about,
                links: resource.links,
                life: resource.life,
                prefix: resource.prefix,
            });
        }
        registry.schemas.complete();
        for (index, operation) in registry.operations.iter().enumerate() {
            let methods = registry.routes.entry(operation.path.clone()).or_default();
            methods.push((operation.method, index));
        }
        registry
    }

    /// Every operation, in the order of the resources.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation of this id.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// Every resource, and what it is.
    pub fn resources(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.resources.iter().map(|resource| (resource.name, resource.about))
    }

    /// Every event there is, by its name.
    pub fn events(&self) -> &BTreeMap<&'static str, &'static Event> {
        &self.events
    }

    /// The links that lead away from a resource.
    pub fn links(&self, resource: &str) -> &[Link] {
        let found = self.resources.iter().find(|entry| entry.name == resource);
        found.map_or(&[], |entry| &entry.links)
    }

    /// The states of a resource's objects, where they have any.
    pub fn life(&self, resource: &str) -> Option<&Life> {
        self.resources.iter().find(|entry| entry.name == resource)?.life.as_ref()
    }

    /// The actions that lead from state to state of a resource's objects, as they were declared.
    pub fn transitions(&self, resource: &str) -> Vec<Transition> {
        let own = self.operations.iter().filter(|operation| operation.resource == resource);
        own.filter_map(|operation| operation.transition.clone()).collect()
    }

    /// The list of a resource's objects.
    pub fn list(&self, resource: &str) -> Option<&Operation> {
        self.operations.iter().find(|one| one.resource == resource && one.list.is_some())
    }

    /// The list that a link leads to pages of, and the filter that finds what is on them.
    pub fn pages(&self, link: &Link) -> Option<(&Operation, &FilterRule)> {
        let Leads::Pages { filter, .. } = link.leads else { return None };
        let list = self.list(link.target)?;
        Some((list, list.list.as_ref()?.filter(filter)?))
    }

    /// All schemas by name.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The schema of a resource's objects.
    pub fn view(&self, resource: &str) -> Option<&str> {
        self.reader(resource).map(|operation| operation.output.schema())
    }

    /// The scope that reading a resource takes.
    pub fn read_scope(&self, resource: &str) -> Option<&'static str> {
        self.reader(resource).map(|operation| operation.scope)
    }

    fn reader(&self, resource: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.resource == resource && operation.shaped)
    }

    /// Every scope that an operation takes, in order.
    pub fn scopes(&self) -> Vec<&'static str> {
        let mut scopes: Vec<_> = self.operations.iter().map(|operation| operation.scope).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// Where a method and a path lead. The second part of a path under an object is the object's id.
    pub fn route(&self, method: Option<Method>, path: &str) -> Route<'_> {
        let mut parts: Vec<&str> = path.split('/').collect();
        let id = match self.routes.contains_key(path) {
            true => None,
            false => {
                let part = parts.get_mut(3).filter(|part| !part.is_empty());
                part.map(|part| std::mem::replace(part, "{id}").to_owned())
            }
        };
        let Some(methods) = self.routes.get(&parts.join("/")) else { return Route::Nowhere };
        let found = methods.iter().find(|(offered, _)| Some(*offered) == method);
        match found.and_then(|(_, index)| self.operations.get(*index)) {
            Some(operation) => Route::To(operation, id),
            None => Route::OtherMethods(methods.iter().map(|(offered, _)| *offered).collect()),
        }
    }

    /// What is wrong with the declarations; a test keeps this empty.
    pub fn lint(&self) -> Vec<String> {
        let mut faults = self.faults.clone();
        let twice = self.schemas.1.iter();
        faults.extend(twice.map(|name| format!("{name}: two types have this name")));
        let mut fault = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        let mut declared: HashMap<_, usize> = HashMap::new();
        for operation in &self.operations {
            *declared.entry(operation.id).or_default() += 1;
        }
        let mut places = HashSet::new();
        for operation in &self.operations {
            let id = operation.id;
            let same = declared.get(id).copied().unwrap_or_default();
            fault(same == 1, format!("{id}: declared {same} times"));
            let (method, path) = (operation.method, operation.path.as_str());
            let free = places.insert((method, path));
            fault(free, format!("{id}: another operation is {} {path}", method.as_str()));
            if let (Method::Patch, Some(input)) = (method, &operation.input) {
                let view = operation.output.schema();
                for field in self.schemas.fields(&input.name) {
                    let input = self.schemas.0.get(&input.name);
                    let rules = input.map(|schema| &schema["properties"][field]);
                    // Of a list, it is said of what is in it.
                    let secret = rules.is_some_and(|rules| {
                        rules["writeOnly"] == true || rules["items"]["writeOnly"] == true
                    });
                    let shown = secret || self.schemas.field(view, field).is_some();
                    fault(shown, format!("{id}: changes {field}, which {view} does not show"));
                }
            }
            let compiled = operation.input.as_ref().map(|input| input.compiled(&self.schemas));
            let broken = compiled.and_then(Result::err).unwrap_or_default();
            fault(broken.is_empty(), format!("{id}: {broken}"));
            let told = !operation.summary.is_empty() && operation.about.ends_with('.');
            fault(told, format!("{id}: undocumented"));
            let silent = operation.kind == Kind::Command && operation.emits.is_empty();
            fault(!silent, format!("{id}: changes, but emits nothing"));
            let foreign = operation.emits.iter().find(|event| !event.name.contains('.'));
            fault(foreign.is_none(), format!("{id}: an event is called resource.verb_past"));
            if matches!(operation.output, Output::Page(_)) {
                fault(operation.list.is_some(), format!("{id}: a page without rules"));
            }
        }
        let mut prefixes = HashSet::new();
        for resource in &self.resources {
            let (name, prefix) = (resource.name, resource.prefix);
            let own = prefix.is_empty() || prefixes.insert(prefix);
            fault(own, format!("{name}: ids of another resource begin with {prefix} as well"));
            for link in &resource.links {
                let place = format!("{}.{}", resource.name, link.name);
                fault(self.view(link.target).is_some(), format!("{place}: leads to no resource"));
                let view = self.view(resource.name);
                let field = view.and_then(|view| self.schemas.field(view, link.name));
                fault(field.is_none(), format!("{place}: a link with the name of a field"));
                let key = view.and_then(|view| self.schemas.field(view, link.key));
                fault(key.is_some(), format!("{place}: {} is not a field", link.key));
                match link.leads {
                    Leads::One(_) => {}
                    Leads::Few { max, .. } => {
                        let few = (1..=LINKED_MAX as u64).contains(&max);
                        fault(few, format!("{place}: {max} are not few"));
                    }
                    Leads::Pages { filter, .. } => {
                        let rule = self.pages(link).map(|(_, rule)| &rule.kind);
                        let id = key.and_then(id_prefix);
                        let own = id
                            .is_some_and(|prefix| rule == Some(&FilterKind::Id(prefix.to_owned())));
                        let target = link.target;
                        fault(
                            own,
                            format!("{place}: {target}.list has no filter {filter} by its id"),
                        );
                    }
                }
            }
        }
        for (name, schema) in &self.schemas.0 {
            let properties = schema["properties"].as_object().into_iter().flatten();
            for (field, rules) in properties {
                let plain = rules.get("$ref").is_none() && rules.get("oneOf").is_none();
                let silent = plain && rules.get("description").is_none();
                fault(!silent, format!("{name}.{field}: undocumented"));
                fault(bounded(rules), format!("{name}.{field}: a text or list without a bound"));
            }
        }
        faults
    }
}

/// Whether every text and list in a schema has a bound.
fn bounded(rules: &Value) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| rules.get(*name).is_some());
    let inner = rules.get("items").into_iter().chain(rules.get("additionalProperties"));
    (!is_type(rules, "string") || has(&["maxLength", "enum", "const"]))
        && (!is_type(rules, "array") || has(&["maxItems"]))
        && inner.filter(|rules| rules.is_object()).all(bounded)
}
