//! Filter expressions: CEL (<https://cel.dev>) over one event, as the variable `event`.
//!
//! The parser is that of the `cel` crate. Its interpreter is not used, because nothing bounds what
//! it takes: a plan is made of the expression, and run within a budget of steps and of bytes, over
//! the event as it is. What parsing takes is bounded by the length of the source, by how deep it
//! nests and by a stack that is large enough for any source of that length.
//!
//! Where it differs from the crate's interpreter: a name or a function that is not known is refused
//! when the expression is saved, and so is a typed object; a map is gone through in the order of
//! its keys; and an evaluation that takes too much has no result, whatever stands beside it.

mod budget;
mod functions;
mod pattern;
mod plan;
mod run;
mod time;
mod value;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod same;

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use bodega_kernel::{FieldError, Problem, Text, problem, text};
use cel::IdedExpr;
use cel::parser::Parser;
use entity::webhooks::event;
use serde_json::{Value as Json, json};

use budget::Fault;
use plan::{Node, Planner};
use run::Run;
use value::Value;

pub(crate) use budget::FUEL_MAX;
pub(crate) use pattern::PATTERNS_MAX;

/// The longest source, as the schema has it; what was written to the database may be longer.
const SOURCE_CHARS_MAX: usize = 1_000;

/// How deep brackets, signs and conditions may nest.
const NESTING_MAX: usize = 40;

/// A source with as many brackets and signs, wherever they stand, is parsed where it is.
const SIGNS_MAX: usize = 20;

/// The stack for parsing any other. Each bracket takes a few KiB, and there are at most a thousand;
/// what is not used of it is never there.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The most of what went wrong that is kept.
const SAID_CHARS_MAX: usize = 300;

/// A compiled filter.
#[derive(Debug)]
pub(crate) struct Filter(Node);

/// What a filter says of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    Fails,
    /// It could not be worked out; the event is not sent.
    Broken(String),
    /// It takes more than it may; whether the event is to be sent is not known.
    TooCostly,
}

impl Filter {
    /// Compiles an expression, or says where it is wrong.
    pub(crate) fn compile(source: &str) -> Result<Self, Problem> {
        if source.chars().count() > SOURCE_CHARS_MAX {
            return Err(refusal(text(
                format!("has more than {SOURCE_CHARS_MAX} characters"),
                format!("pasa de {SOURCE_CHARS_MAX} caracteres"),
            )));
        }
        if nesting(source) > NESTING_MAX {
            return Err(refusal(text("nests too deep", "anida demasiado")));
        }
        let signs = source.chars().filter(|c| "([{?!-".contains(*c)).count();
        let compiled = if signs <= SIGNS_MAX {
            guarded(source)
        } else {
            // With a stack of its own, so that no source can take more than there is.
            let roomy = std::thread::Builder::new().stack_size(STACK_BYTES);
            std::thread::scope(|scope| {
                let thread = roomy.spawn_scoped(scope, || guarded(source));
                thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(unreadable)
            })
        };
        compiled.map_err(refusal)
    }

    /// What it says of an event, and the fuel that it took.
    pub(crate) fn weighed(&self, event: &Seen<'_>) -> (Verdict, u64) {
        self.run(|| event.root())
    }

    #[cfg(test)]
    fn verdict(&self, event: &Json) -> Verdict {
        self.run(|| Value::from(event)).0
    }

    fn run<'e>(&'e self, event: impl FnOnce() -> Value<'e>) -> (Verdict, u64) {
        let run = || {
            let mut run = Run::new(event());
            let verdict = match run.value(&self.0) {
                Ok(Value::Bool(true)) => Verdict::Passes,
                Ok(Value::Bool(false)) => Verdict::Fails,
                Ok(other) => Verdict::Broken(format!("it gives {}, not a bool", other.type_name())),
                Err(Fault::TooCostly) => Verdict::TooCostly,
                Err(Fault::Wrong(said)) => {
                    Verdict::Broken(said.chars().take(SAID_CHARS_MAX).collect())
                }
            };
            (verdict, run.budget.used())
        };
        let ended = std::panic::catch_unwind(AssertUnwindSafe(run));
        ended.unwrap_or_else(|_| (Verdict::Broken("it cannot be worked out".to_owned()), FUEL_MAX))
    }
}

/// An event as filters see it. What it tells of is not copied.
pub(crate) struct Seen<'e> {
    head: serde_json::Map<String, Json>,
    data: &'e Json,
    previous: &'e Json,
}

impl<'e> Seen<'e> {
    pub(crate) fn of(event: &'e event::Model) -> Self {
        let head = [
            ("type", json!(event.r#type)),
            ("id", json!(bodega_kernel::tagged("evt", event.id))),
            ("sequence", json!(event.sequence)),
            ("object_type", json!(event.object_type)),
            ("object_id", json!(event.object_id)),
            ("object_version", json!(event.object_version)),
            ("actor_type", json!(event.actor_type)),
            ("actor_id", json!(event.actor_id)),
            ("request_id", json!(bodega_kernel::tagged("req", event.request_id))),
            ("created_at", json!(event.created_at.to_rfc3339())),
        ];
        let head = head.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let previous = event.previous.as_ref().unwrap_or(&Json::Null);
        Self { head, data: &event.data, previous }
    }

    fn root(&self) -> Value<'_> {
        let asked_most = [("data", self.data), ("previous", self.previous)].into_iter();
        let head = self.head.iter().map(|(name, value)| (name.as_str(), value));
        let members = asked_most.chain(head);
        let members = members.map(|(name, value)| (Value::Text(name), Value::from(value)));
        Value::Map(Rc::new(members.collect()))
    }
}

fn unreadable() -> Result<Filter, Text> {
    Err(text("cannot be read", "no se puede leer"))
}

/// A panic of the parser is a source that it cannot read.
fn guarded(source: &str) -> Result<Filter, Text> {
    let compiled = || {
        let parsed = parse(source)?;
        Planner::of(source).plan(&parsed).map(Filter)
    };
    std::panic::catch_unwind(AssertUnwindSafe(compiled)).unwrap_or_else(|_| unreadable())
}

fn parse(source: &str) -> Result<IdedExpr, Text> {
    Parser::default().enable_optional_syntax(true).parse(source).map_err(|errors| said(&errors))
}

/// The deepest that brackets, signs and conditions nest; the parser recurses as deep.
fn nesting(source: &str) -> usize {
    let (mut depth, mut signs, mut deepest) = (0_usize, 0_usize, 0);
    // Each condition stands in the one before it, until the bracket around them ends.
    let mut conditions = vec![0_usize];
    let mut standing = 0;
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => {
                depth += 1;
                conditions.push(0);
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                standing -= if conditions.len() > 1 { conditions.pop().unwrap_or(0) } else { 0 };
            }
            '?' => {
                standing += 1;
                conditions.iter_mut().last().into_iter().for_each(|all| *all += 1);
            }
            '!' | '-' => signs += 1,
            c if c.is_whitespace() => {}
            // A sign belongs to the operand that follows.
            _ => signs = 0,
        }
        deepest = deepest.max(depth + signs + standing);
    }
    deepest
}

fn said(errors: &cel::ParseErrors) -> Text {
    let Some(first) = errors.errors.first() else {
        return text("does not compile", "no compila");
    };
    let (line, column) = first.pos;
    let said = first.msg.lines().next().unwrap_or_default();
    text(
        format!("line {line}, column {column}: {said}"),
        format!("línea {line}, columna {column}: {said}"),
    )
}

fn refusal(said: Text) -> Problem {
    Problem::new(&problem::FILTER_NOT_VALID).at(FieldError::body(
        "/filter",
        "filter_not_valid",
        said,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(source: &str) -> Verdict {
        let event = json!({
            "type": "product.updated",
            "data": {"status": "active", "price": 1999, "tags": ["a", "b"]},
            "previous": {"status": "draft"},
        });
        Filter::compile(source).unwrap_or_else(|e| panic!("{source}: {e:?}")).verdict(&event)
    }

    #[test]
    fn an_expression_decides() {
        assert_eq!(verdict("event.data.status == 'active'"), Verdict::Passes);
        assert_eq!(verdict("event.data.price > 2000"), Verdict::Fails);
        assert_eq!(verdict("event.data.tags.exists(t, t == 'b')"), Verdict::Passes);
        assert_eq!(verdict("has(event.previous.status)"), Verdict::Passes);
        assert_eq!(verdict("event.type.startsWith('order.')"), Verdict::Fails);
        assert!(matches!(verdict("event.data.missing == 1"), Verdict::Broken(_)));
        assert!(matches!(verdict("event.data.price"), Verdict::Broken(_)));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let detail = |source: &str| {
            let problem = Filter::compile(source).err().unwrap_or_else(|| panic!("{source}"));
            assert_eq!(problem.errors[0].pointer, "/filter");
            problem.errors[0].detail.get(bodega_kernel::Language::English).to_owned()
        };
        assert!(detail("event.data.status ==").contains("column"), "{}", detail("event. =="));
        assert!(detail("order.total > 1").contains("column 1: only `event`"));
        assert!(detail("event.a.foo()").contains("no function `foo`"));
        assert!(detail("event.a.matches('(')").contains("not a valid regular expression"));
        assert!(detail("event.a.matches('(((a{99}){99}){99}){99}')").contains("repeats too often"));
        assert!(detail(&"a".repeat(1_001)).contains("1000 characters"));
        assert!(detail(&"(".repeat(500)).contains("too deep"));
        assert!(detail(&"!".repeat(900)).contains("too deep"));
        let many = format!("e[1{}]", ",1".repeat(400)).replace("e[", "event == [");
        assert!(detail(&many).contains("costs too much"));
    }
}
