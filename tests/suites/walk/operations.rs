//! Every operation, as the started server's own document describes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::fixtures::nowhere;

/// The document; what it refers to can be found in it.
#[derive(Debug)]
pub struct Document(pub Value);

/// One operation of the document.
#[derive(Debug)]
pub struct Operation {
    /// `product.archive`.
    pub id: String,
    /// `product`.
    pub resource: String,
    /// `archive`.
    pub verb: String,
    /// `POST`.
    pub method: String,
    /// `/v1/products/{id}/archive`.
    pub path: String,
    /// Whether it only reads.
    pub safe: bool,
    /// What a key needs.
    pub scopes: Vec<String>,
    /// What it can cause.
    pub events: BTreeSet<String>,
    /// The codes it can be refused with.
    pub problems: BTreeSet<String>,
    /// The statuses it can answer with.
    pub statuses: BTreeSet<u16>,
    /// All its parameters, those that it shares with others among them.
    pub parameters: Vec<Parameter>,
    /// The schema of its body.
    pub body: Option<Value>,
    document: Arc<Document>,
}

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `status[in]`.
    pub name: String,
    /// `query`, `header` or `path`.
    pub place: String,
    /// What it takes.
    pub schema: Value,
}

/// A field that holds ids of a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// `brand_id`.
    pub field: String,
    /// `brand`.
    pub prefix: String,
    /// Whether it takes several.
    pub many: bool,
}

impl Document {
    /// What a schema says, references followed and "or null" looked through.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.0.pointer(reference.trim_start_matches('#'));
            return self.resolve(target.unwrap_or_else(|| panic!("{reference} leads nowhere")));
        }
        let alternatives = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
        match alternatives.and_then(|all| all.iter().find(|one| one["type"] != "null")) {
            Some(one) => self.resolve(one),
            None => schema,
        }
    }

    /// The operations, in the order of the document.
    pub fn operations(self: &Arc<Self>) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().expect("paths");
        let each = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path's methods").iter();
            let declared = methods.filter(|(_, one)| one.get("operationId").is_some());
            declared.map(move |(method, one)| self.operation(path, method, one))
        });
        each.collect()
    }

    fn operation(self: &Arc<Self>, path: &str, method: &str, declared: &Value) -> Operation {
        let id = text(&declared["operationId"]);
        let (resource, verb) = id.split_once('.').unwrap_or_else(|| panic!("{id} has no verb"));
        let parameters = declared["parameters"].as_array().into_iter().flatten();
        let body = &declared["requestBody"]["content"]["application/json"]["schema"];
        let statuses = declared["responses"].as_object().expect("responses").keys();
        Operation {
            resource: resource.to_owned(),
            verb: verb.to_owned(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            safe: declared["x-safe"].as_bool().expect("x-safe"),
            scopes: texts(&declared["x-scopes"]).collect(),
            events: texts(&declared["x-events"]).collect(),
            problems: texts(&declared["x-problems"]).collect(),
            statuses: statuses.map(|status| status.parse().expect("a status")).collect(),
            parameters: parameters.map(|one| self.parameter(one)).collect(),
            body: Some(self.resolve(body).clone()).filter(Value::is_object),
            document: self.clone(),
            id,
        }
    }

    fn parameter(&self, declared: &Value) -> Parameter {
        let declared = self.resolve(declared);
        Parameter {
            name: text(&declared["name"]),
            place: text(&declared["in"]),
            schema: self.resolve(&declared["schema"]).clone(),
        }
    }
}

impl Operation {
    /// Whether it changes something.
    pub fn is_command(&self) -> bool {
        !self.safe
    }

    /// Whether it answers a page of objects.
    pub fn is_list(&self) -> bool {
        self.parameter("limit").is_some()
    }

    /// What a schema says, references followed and "or null" looked through.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        self.document.resolve(schema)
    }

    /// Whether it is about one object.
    pub fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }

    /// The status of success.
    pub fn success(&self) -> u16 {
        *self.statuses.iter().find(|status| **status < 300).expect("a success")
    }

    /// Its path, for this object.
    pub fn at(&self, id: &str) -> String {
        self.path.replace("{id}", id)
    }

    /// The prefix of the ids in its path; none where objects have names.
    pub fn prefix(&self) -> Option<String> {
        let id = self.parameter("id").unwrap_or_else(|| panic!("{}: no id in its path", self.id));
        id_prefix(&id.schema)
    }

    /// An id of nothing.
    pub fn nowhere(&self) -> String {
        self.prefix().map_or("nothing.happened".to_owned(), |prefix| nowhere(&prefix))
    }

    /// The parameter of this name, in whatever place.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The parameters in its query string.
    pub fn query(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.place == "query")
    }

    /// The values that a parameter which takes several chooses from: `fields`, `expand`.
    pub fn choices(&self, parameter: &str) -> Vec<String> {
        let found = self.parameter(parameter);
        found.map(|found| texts(&found.schema["items"]["enum"]).collect()).unwrap_or_default()
    }

    /// The fields of its body, with what each takes.
    pub fn fields(&self) -> Vec<(&str, &Value)> {
        let properties = self.body.as_ref().and_then(|body| body["properties"].as_object());
        let each = properties.into_iter().flatten();
        each.map(|(name, schema)| (name.as_str(), self.document.resolve(schema))).collect()
    }

    /// The values that a field of its body chooses from, also one that takes several.
    pub fn options(&self, field: &str) -> Vec<String> {
        let fields = self.fields();
        let (_, schema) = fields
            .iter()
            .find(|(name, _)| *name == field)
            .unwrap_or_else(|| panic!("{}: no field {field}", self.id));
        let one = if schema["type"] == "array" {
            self.document.resolve(&schema["items"])
        } else {
            schema
        };
        texts(&one["enum"]).collect()
    }

    /// The fields of its body that hold ids of other objects.
    pub fn references(&self) -> Vec<Reference> {
        let each = self.fields().into_iter().filter_map(|(field, schema)| {
            let many = schema["type"] == "array";
            let one = if many { self.document.resolve(&schema["items"]) } else { schema };
            Some(Reference { field: field.to_owned(), prefix: id_prefix(one)?, many })
        });
        each.collect()
    }

    /// The pointers to the objects in a body that take no other members than the known ones.
    pub fn closed_objects(&self, body: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(schema) = &self.body {
            self.closed(schema, body, String::new(), &mut found);
        }
        found
    }

    fn closed(&self, schema: &Value, value: &Value, at: String, found: &mut Vec<String>) {
        let schema = self.document.resolve(schema);
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    let inner_schema = &schema["properties"][name];
                    self.closed(inner_schema, inner, format!("{at}/{name}"), found);
                }
                if schema["additionalProperties"] == false {
                    found.push(at);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.closed(&schema["items"], item, format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }
}

/// `prod`, where a schema is one of ids of products.
pub fn id_prefix(schema: &Value) -> Option<String> {
    schema["x-id-prefix"].as_str().map(str::to_owned)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    value.as_array().into_iter().flatten().map(text)
}
