//! The query string of a list or a read: `status=active&price[gte]=10&sort=-created_at&expand=brand`.

use std::time::Duration;

use bodega_contract::{FilterKind, LINK_ROWS, ListRules, Operation, Registry, WrongValue};
use bodega_kernel::json::WHOLE_MAX;
use bodega_kernel::{
    FieldError, Filter, FilterValue, ListQuery, Op, Problem, Result, Sort, Way, problem, text,
};

use crate::validate::{an_id, one_of, unknown};

/// More parameters than this are refused before any is read.
pub const PARAMETERS_MAX: usize = 100;

const LIMIT_DEFAULT: u64 = 20;
const LIMIT_MAX: u64 = 100;
const IN_MAX: usize = 100;
const IN_CHARS_MAX: usize = 300;
/// The longest wait for news of a log, in seconds.
const WAIT_S_MAX: u64 = 30;
const VALUE_CHARS_MAX: usize = 1_000;
const EXPAND_LEVELS_MAX: usize = 3;
const EXPAND_PATHS_MAX: usize = 20;

/// What to embed, and in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expand {
    /// The link.
    pub link: String,
    /// What to embed in what it brings.
    pub inner: Vec<Expand>,
    /// What is asked of its pages, where it leads to any; else they are shown as `expand` shows them.
    pub pages: Option<Pages>,
}

/// What is asked of the pages that a link leads to: as of the list that they are pages of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pages {
    /// What they are called in the object: the same link may be asked for several times.
    pub name: String,
    /// The query string.
    pub query: Vec<(String, String)>,
    /// Filters that take several values: `status[in]`.
    pub lists: Vec<(String, Vec<String>)>,
}

impl Expand {
    /// A link as `expand` shows it.
    pub fn of(link: &str) -> Self {
        Self { link: link.to_owned(), ..Self::default() }
    }

    /// What it is called in the object.
    pub(crate) fn name(&self) -> &str {
        self.pages.as_ref().map_or(&self.link, |pages| &pages.name)
    }
}

/// What a door with types of its own asks for, beside the query string.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// What to embed in the answer.
    pub links: Vec<Expand>,
    /// Filters that take several values, each a text that may have commas: `status[in]`.
    pub lists: Vec<(String, Vec<String>)>,
    /// Which way to read a list, so that each row gets a cursor.
    pub way: Option<Way>,
}

/// What is asked of the pages that a link leads to.
pub(crate) fn pages(
    registry: &Registry,
    list: &Operation,
    asked: Option<&Pages>,
) -> Result<ListQuery> {
    let few = [("limit".to_owned(), LINK_ROWS.to_string())];
    let way = asked.map(|_| Way::Forward);
    let lists = asked.map(|pages| pages.lists.clone()).unwrap_or_default();
    let query = asked.map_or(&few[..], |pages| &pages.query);
    let shape = read(registry, list, query, Ask { links: Vec::new(), lists, way })?;
    shape.list.ok_or_else(|| Problem::internal(format!("{} is no list", list.id)))
}

/// What a query string asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) list: Option<ListQuery>,
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) expand: Vec<Expand>,
}

/// Reads the query string of an operation; every mistake in it is named.
pub(crate) fn read(
    registry: &Registry,
    operation: &Operation,
    parameters: &[(String, String)],
    ask: Ask,
) -> Result<Shape> {
    if parameters.len() + ask.lists.len() > PARAMETERS_MAX {
        let detail = text("has more than 100 parameters", "tiene más de 100 parámetros");
        return Err(Problem::invalid(FieldError::new("query", "", "too_many", detail)));
    }
    let mut reader =
        Reader { registry, operation, shape: Shape::default(), errors: Vec::new(), prefix: None };
    if operation.list.is_some() {
        reader.shape.list = Some(ListQuery {
            filters: Vec::new(),
            sort: Sort { field: "created_at".to_owned(), descending: true },
            limit: LIMIT_DEFAULT,
            cursor: None,
            count: false,
            after: None,
            wait: Duration::ZERO,
            way: ask.way,
        });
    }
    reader.shape.expand = ask.links;
    let mut seen = std::collections::HashSet::new();
    for (name, value) in parameters {
        if !seen.insert(name) {
            reader.wrong(name, "duplicate", "is there twice", "está repetido");
        } else if value.chars().count() > VALUE_CHARS_MAX
            && name != "cursor"
            && !name.ends_with("[in]")
        {
            reader.wrong(
                name,
                "too_long",
                "has more than 1,000 characters",
                "pasa de 1,000 caracteres",
            );
        } else if value.contains('\0') || name.contains('\0') {
            reader.wrong(name, "invalid", "has a NUL character", "tiene un carácter NUL");
        } else {
            reader.parameter(name, value);
        }
    }
    for (name, values) in &ask.lists {
        reader.filter(name, &values.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let Reader { shape, errors, prefix, .. } = reader;
    if let Some(prefix) = prefix {
        return Err(errors.into_iter().fold(Problem::wrong_id_type(&prefix, &prefix), Problem::at));
    }
    if errors.is_empty() {
        return Ok(shape);
    }
    Err(errors.into_iter().take(20).fold(Problem::new(&problem::VALIDATION_FAILED), Problem::at))
}

struct Reader<'a> {
    registry: &'a Registry,
    operation: &'a Operation,
    shape: Shape,
    errors: Vec<FieldError>,
    prefix: Option<String>,
}

impl Reader<'_> {
    fn wrong(&mut self, name: &str, code: &'static str, en: &str, es: &str) {
        self.errors.push(FieldError::query(name, code, text(en.to_owned(), es.to_owned())));
    }

    fn parameter(&mut self, name: &str, value: &str) {
        match (name, self.shape.list.is_some()) {
            ("fields", _) if self.operation.shaped => self.fields(value),
            ("expand", _) if self.operation.shaped => self.expand(value),
            ("limit", true) => match value.parse() {
                Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => {
                    self.list(|list| list.limit = limit)
                }
                _ => {
                    self.wrong(name, "out_of_range", "must be from 1 to 100", "debe ser de 1 a 100")
                }
            },
            ("cursor", true) => self.list(|list| list.cursor = Some(value.to_owned())),
            ("count", true) => match value.parse() {
                Ok(count) => self.list(|list| list.count = count),
                Err(_) => {
                    self.wrong(name, "enum", "must be true or false", "debe ser true o false")
                }
            },
            ("after", true) if self.rules().feed => self.after(value),
            ("wait_s", true) if self.rules().feed => match value.parse() {
                Ok(wait_s) if wait_s <= WAIT_S_MAX => {
                    self.list(|list| list.wait = Duration::from_secs(wait_s))
                }
                _ => self.wrong(name, "out_of_range", "must be from 0 to 30", "debe ser de 0 a 30"),
            },
            ("sort", true) => self.sort(value),
            (_, true) if name.ends_with("[in]") => {
                self.filter(name, &value.split(',').collect::<Vec<_>>());
            }
            (_, true) => self.filter(name, &[value]),
            _ => self.unknown(name),
        }
    }

    fn list(&mut self, set: impl FnOnce(&mut ListQuery)) {
        if let Some(list) = &mut self.shape.list {
            set(list);
        }
    }

    fn rules(&self) -> &ListRules {
        static NONE: ListRules = ListRules { filters: Vec::new(), sorts: Vec::new(), feed: false };
        self.operation.list.as_ref().unwrap_or(&NONE)
    }

    fn unknown(&mut self, name: &str) {
        let lists: &[&str] =
            if self.operation.list.is_some() { &["limit", "cursor", "count", "sort"] } else { &[] };
        let feeds: &[&str] = if self.rules().feed { &["after", "wait_s"] } else { &[] };
        let shapes: &[&str] = if self.operation.shaped { &["fields", "expand"] } else { &[] };
        let filters = self.rules().filters.iter().map(|rule| rule.name);
        let detail = unknown(name, lists.iter().chain(feeds).chain(shapes).copied().chain(filters));
        self.errors.push(FieldError::query(name, "unknown_parameter", detail));
    }

    /// Follows a log: what comes after a place in it, in its own order.
    fn after(&mut self, value: &str) {
        const PLACE: &str = "sequence";
        let place = value.parse::<i64>().ok().filter(|place| (0..=WHOLE_MAX).contains(place));
        let Some(place) = place else {
            return self.wrong(
                "after",
                "invalid",
                "must be a `sequence`",
                "debe ser un `sequence`",
            );
        };
        let values = vec![FilterValue::Int(place)];
        let filter = Filter::new(PLACE, Op::Gt, values);
        self.list(|list| {
            list.after = Some(place);
            list.filters.push(filter);
            list.sort = Sort { field: PLACE.to_owned(), descending: false };
        });
    }

    fn sort(&mut self, value: &str) {
        let field = value.strip_prefix('-').unwrap_or(value);
        if !self.rules().sorts.contains(&field) {
            let (en, es) = one_of(field, &self.rules().sorts);
            return self.wrong("sort", "enum", &en, &es);
        }
        let sort = Sort { field: field.to_owned(), descending: value.starts_with('-') };
        self.list(|list| list.sort = sort);
    }

    fn filter(&mut self, name: &str, raw: &[&str]) {
        let (field, operator) = match name.split_once('[') {
            Some((field, rest)) => (field, rest.strip_suffix(']')),
            None => (name, Some("")),
        };
        let Some(rule) = self.rules().filter(field).cloned() else {
            return self.unknown(name);
        };
        let op = match operator {
            Some("") => Some(Op::Eq),
            Some(operator) => {
                rule.operators().find(|(known, _)| *known == operator).map(|(_, op)| op)
            }
            None => None,
        };
        let Some(op) = op else {
            let known = rule.operators().map(|(known, _)| known).collect::<Vec<_>>().join(", ");
            let (en, es) = match known.is_empty() {
                true => ("takes no operator".to_owned(), "no acepta operadores".to_owned()),
                false => (
                    format!("takes the operators {known}"),
                    format!("acepta los operadores {known}"),
                ),
            };
            return self.wrong(name, "unknown_operator", &en, &es);
        };
        if raw.len() > IN_MAX {
            return self.wrong(
                name,
                "too_many",
                "takes up to 100 values",
                "acepta hasta 100 valores",
            );
        }
        let kind = if op == Op::IsNull { FilterKind::Bool } else { rule.kind.clone() };
        let mut values = Vec::with_capacity(raw.len());
        for raw in raw {
            if op == Op::In && raw.chars().count() > IN_CHARS_MAX {
                let (en, es) = (
                    "takes values of up to 300 characters",
                    "acepta valores de hasta 300 caracteres",
                );
                return self.wrong(name, "too_long", en, es);
            }
            match kind.read(raw) {
                Ok(value) => values.push(value),
                Err(wrong) => {
                    let code = match wrong {
                        WrongValue::Prefix(prefix) => {
                            self.prefix = Some(prefix);
                            "wrong_id_type"
                        }
                        WrongValue::Value => "invalid",
                    };
                    let (en, es) = wanted(&kind, raw);
                    return self.wrong(name, code, &en, &es);
                }
            }
        }
        self.list(|list| list.filters.push(rule.condition(op, values)));
    }

    fn fields(&mut self, value: &str) {
        let schema = self.operation.output.schema();
        let known = self.registry.schemas().fields(schema);
        if value.split(',').count() > known.len() {
            return self.wrong("fields", "too_many", "names too many", "nombra demasiados");
        }
        let mut fields = Vec::new();
        for field in value.split(',') {
            if known.contains(&field) {
                fields.push(field.to_owned());
            } else {
                let detail = unknown(field, known.iter().copied());
                self.errors.push(FieldError::query("fields", "unknown_field", detail));
            }
        }
        self.shape.fields = Some(fields);
    }

    fn expand(&mut self, value: &str) {
        let paths: Vec<&str> = value.split(',').collect();
        if paths.len() > EXPAND_PATHS_MAX {
            return self.wrong(
                "expand",
                "too_many",
                "takes up to 20 paths",
                "acepta hasta 20 rutas",
            );
        }
        for path in paths {
            if path.split('.').count() > EXPAND_LEVELS_MAX {
                self.wrong(
                    "expand",
                    "too_deep",
                    "goes up to 3 levels deep",
                    "llega hasta 3 niveles",
                );
                continue;
            }
            let mut nodes = &mut self.shape.expand;
            let mut resource = self.operation.resource;
            for name in path.split('.') {
                let links = self.registry.links(resource);
                let Some(link) = links.iter().find(|link| link.name == name) else {
                    let detail = unknown(name, links.iter().map(|link| link.name));
                    self.errors.push(FieldError::query("expand", "unknown_link", detail));
                    break;
                };
                resource = link.target;
                let index = nodes.iter().position(|node| node.link == name).unwrap_or_else(|| {
                    nodes.push(Expand::of(name));
                    nodes.len() - 1
                });
                nodes = &mut nodes[index].inner;
            }
        }
    }
}

/// What values a filter takes, in English and Spanish.
fn wanted(kind: &FilterKind, given: &str) -> (String, String) {
    let like = match kind {
        FilterKind::Choice(all) => {
            return one_of(given, &all.iter().map(String::as_str).collect::<Vec<_>>());
        }
        FilterKind::Bool => return one_of(given, &["true", "false"]),
        FilterKind::Id(prefix) => return an_id(prefix, given),
        FilterKind::Text => "text",
        FilterKind::Time => "2026-11-20T12:00:00Z",
        FilterKind::Int => "123",
    };
    (format!("takes values like {like}"), format!("acepta valores como {like}"))
}
