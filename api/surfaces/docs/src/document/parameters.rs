//! What an operation takes beside its body.

use std::collections::BTreeMap;

use bodega_contract::{FilterRule, Kind, ListRules, Method, Operation, Registry};
use bodega_kernel::Versions;
use bodega_kernel::json::WHOLE_MAX;
use serde_json::Value;
use utoipa::openapi::path::{
    OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle,
};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr, Required};

use super::plain::{
    choice, filtered, filtered_in, id, id_example, several, small, text, whole, yes_or_no,
};
use super::{Shared, Source, spoken};

/// How deep and how wide `expand` goes, as the corridor has it.
const EXPAND_LEVELS_MAX: usize = 3;
const EXPAND_PATHS_MAX: usize = 20;

/// More paths than this are told as a pattern.
const EXPAND_LISTED_MAX: usize = 150;

/// The parameters that operations share, by the name of the component.
pub(super) fn common(versions: &Versions) -> BTreeMap<String, Parameter> {
    let query = |name: &str, schema: RefOr<Schema>, about: &str| {
        one(name, ParameterIn::Query, schema, about)
    };
    let header = |name: &str, schema: RefOr<Schema>, about: &str| {
        one(name, ParameterIn::Header, schema, about)
    };
    // Read leniently: what is in them beside what is known is passed over. None of the headers has
    // an example: samples made of the document would send a foreign version, and one key for all.
    let lenient = |max| text("^[ -~]*$", max);
    let all = [
        query(
            "limit",
            small(1, 100).default(Some(Value::from(20))).into(),
            "How many objects a page has.",
        ),
        query(
            "cursor",
            text("^[A-Za-z0-9_-]+$", 4_096).into(),
            "Where to go on: `next_cursor` or `prev_cursor` of a page of the same list with the \
             same filters and sort, good for 24 hours.",
        ),
        query(
            "count",
            yes_or_no().default(Some(Value::from(false))).into(),
            "Whether to count all that match, as `total_count`.",
        ),
        header(
            "Idempotency-Key",
            text("^([!#-~][ -~]{0,254}|\"[ -~]{1,253}\")$", 255).into(),
            "Your own name for this change: a new UUID serves. Sent again within 48 hours, the \
             same request gets the first answer again, and another request is refused.",
        ),
        header(
            "If-Match",
            text(r#"^(\*|(W/)?("[0-9]{1,18}"|[0-9]{1,18}))$"#, 22).into(),
            "The version that the object must still have, as `ETag` showed it: `\"7\"`. `*` takes \
             any.",
        ),
        header(
            "If-None-Match",
            lenient(1_000).into(),
            "The `ETag` of what you have: if it is still that, the answer is 304 without a body.",
        ),
        header(
            "Bodega-Version",
            choice(versions.dates()).into(),
            "The version to answer in, instead of the one that the key was made with.",
        ),
        header(
            "Accept-Language",
            lenient(500).into(),
            "The language of titles and details of problems: `en` or `es`.",
        ),
    ];
    all.into_iter().map(|parameter| (parameter.name.clone(), parameter)).collect()
}

/// Adds all parameters of an operation.
pub(super) fn add(
    source: &Source<'_>,
    operation: &Operation,
    shared: &mut Shared,
    mut described: OperationBuilder,
) -> OperationBuilder {
    if operation.has_id() {
        described = described.parameter(in_path(operation));
    }
    if let Some(rules) = &operation.list {
        described = shared_ones(described, &["limit", "cursor", "count"]).parameter(sort(rules));
        if rules.feed {
            described = described.parameter(after()).parameter(wait());
        }
        for rule in &rules.filters {
            for parameter in filters(rule) {
                described = described.parameter(parameter);
            }
        }
    }
    if operation.shaped {
        described = shape(source.registry, operation, shared, described);
    }
    let command = operation.kind != Kind::Query;
    let mut headers = Vec::new();
    headers.extend(command.then_some("Idempotency-Key"));
    headers.extend((command && operation.has_id()).then_some("If-Match"));
    headers.extend((operation.method == Method::Get).then_some("If-None-Match"));
    headers.extend(["Bodega-Version", "Accept-Language"]);
    shared_ones(described, &headers)
}

fn shared_ones(mut described: OperationBuilder, names: &[&str]) -> OperationBuilder {
    for name in names {
        described = described.parameter_ref(Ref::new(format!("#/components/parameters/{name}")));
    }
    described
}

fn one(name: &str, place: ParameterIn, schema: RefOr<Schema>, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .schema(Some(schema))
        .description(Some(about))
        .build()
}

/// Several values in one parameter, parted by commas.
fn listed(name: &str, schema: RefOr<Schema>, about: &str) -> Parameter {
    let mut parameter = one(name, ParameterIn::Query, schema, about);
    parameter.style = Some(ParameterStyle::Form);
    parameter.explode = Some(false);
    parameter
}

fn in_path(operation: &Operation) -> Parameter {
    let about = format!("The id of the {}.", spoken(operation.resource));
    let schema = match operation.prefix {
        // What is no object has a name rather than an id.
        "" => text("^[a-z_]+(\\.[a-z_]+)*$", 100),
        prefix => id(prefix).examples([id_example(prefix)]),
    };
    let mut parameter = one("id", ParameterIn::Path, schema.into(), &about);
    parameter.required = Required::True;
    parameter
}

fn after() -> Parameter {
    let about = "Follows the log: only what comes after this `sequence`, in its order; 0 for all.";
    one("after", ParameterIn::Query, whole(0, WHOLE_MAX).into(), about)
}

fn wait() -> Parameter {
    let about =
        "How many seconds to wait for something to answer with, where there is nothing yet.";
    let schema = small(0, 30).default(Some(Value::from(0)));
    one("wait_s", ParameterIn::Query, schema.into(), about)
}

fn sort(rules: &ListRules) -> Parameter {
    let both = rules.sorts.iter().flat_map(|field| [(*field).to_owned(), format!("-{field}")]);
    let schema = choice(both).default(Some(Value::from("-created_at")));
    one("sort", ParameterIn::Query, schema.into(), "The order; `-` is for the largest first.")
}

/// A field's filters: equals, each operator, and whether it is empty.
fn filters(rule: &FilterRule) -> Vec<Parameter> {
    let field = rule.name;
    let query = |name: &str, schema, about: &str| one(name, ParameterIn::Query, schema, about);
    let plain = format!("Only where `{field}` is this.");
    let mut all = vec![query(field, filtered(&rule.kind), rule.about.unwrap_or(&plain))];
    for (operator, _) in rule.operators() {
        let name = format!("{field}[{operator}]");
        all.push(match operator {
            "in" => {
                let plain = format!("Only where `{field}` is one of these, parted by commas.");
                let about = rule.about.map(|about| format!("{about} Several, parted by commas."));
                listed(&name, filtered_in(&rule.kind), &about.unwrap_or(plain))
            }
            "is_null" => {
                let about = format!("Only where `{field}` is empty (`true`), or is not (`false`).");
                query(&name, yes_or_no().into(), &about)
            }
            operator => {
                let about = format!("Only where `{field}` {} this.", verb(operator));
                query(&name, filtered(&rule.kind), &about)
            }
        });
    }
    all
}

fn verb(operator: &str) -> &str {
    match operator {
        "ne" => "is not",
        "gt" => "is above",
        "gte" => "is at least",
        "lt" => "is below",
        "lte" => "is at most",
        "contains" => "has in it, whatever the case,",
        "starts_with" => "starts, whatever the case, with",
        other => other,
    }
}

/// `fields` and `expand`: of a type and of a resource, hence shared by operations.
fn shape(
    registry: &Registry,
    operation: &Operation,
    shared: &mut Shared,
    mut described: OperationBuilder,
) -> OperationBuilder {
    let resource = operation.resource;
    let view = operation.output.schema();
    let fields = registry.schemas().fields(view);
    if !fields.is_empty() {
        let name = format!("{view}.fields");
        let count = fields.len();
        shared.parameters.entry(name.clone()).or_insert_with(|| {
            let about = "Only these fields of each object, parted by commas.";
            listed("fields", several(choice(fields), count).into(), about)
        });
        described = shared_ones(described, &[&name]);
    }
    let paths = paths(registry, resource);
    if !paths.is_empty() {
        let name = format!("{resource}.expand");
        shared.parameters.entry(name.clone()).or_insert_with(|| {
            let about = "Related objects to embed, parted by commas, up to 3 levels deep. Each \
                         takes the scope that reading it alone takes.";
            let path = match paths.len() <= EXPAND_LISTED_MAX {
                true => choice(paths),
                false => text(&pattern(registry, resource), 200),
            };
            listed("expand", several(path, EXPAND_PATHS_MAX).into(), about)
        });
        described = shared_ones(described, &[&name]);
    }
    described
}

/// Every path of links that starts at a resource, shortest first.
fn paths(registry: &Registry, resource: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut ends = vec![(String::new(), resource)];
    for _ in 0..EXPAND_LEVELS_MAX {
        let mut next = Vec::new();
        for (path, resource) in ends {
            for link in registry.links(resource) {
                let dot = if path.is_empty() { "" } else { "." };
                next.push((format!("{path}{dot}{}", link.name), link.target));
            }
        }
        all.extend(next.iter().map(|(path, _)| path.clone()));
        if all.len() > EXPAND_LISTED_MAX {
            break;
        }
        ends = next;
    }
    all
}

fn pattern(registry: &Registry, resource: &str) -> String {
    let names: Vec<_> = registry.links(resource).iter().map(|link| link.name).collect();
    let more = EXPAND_LEVELS_MAX - 1;
    format!(r"^({})(\.[a-z][a-z_]*){{0,{more}}}$", names.join("|"))
}
