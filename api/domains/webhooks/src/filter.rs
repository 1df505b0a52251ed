//! Filter expressions: CEL (<https://cel.dev>) over one event, as the variable `event`.
//!
//! The interpreter has no limit of its own, so an expression is bounded before it is kept: its
//! length, how deep it nests, and that no loop stands in another, because two of them over a list
//! of the body's size would hold up everybody's events.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};

use bodega_kernel::{FieldError, Problem, Text, problem, text};
use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::objects::{Key, Map};
use cel::{Context, Env, Program, Value};
use serde_json::Value as Json;

/// How deep brackets may nest.
const BRACKETS_MAX: usize = 20;

/// How many operations, literals and names an expression may have.
const NODES_MAX: usize = 300;

/// A compiled filter.
pub(crate) struct Filter(Program);

/// What a filter says of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    Fails,
    /// It could not be worked out; the event is not sent.
    Broken(String),
}

impl Filter {
    /// Compiles an expression, or says where it is wrong.
    pub(crate) fn compile(source: &str) -> Result<Self, Problem> {
        if nesting(source) > BRACKETS_MAX {
            return Err(refusal(text("nests too deep", "anida demasiado")));
        }
        let parsed = std::panic::catch_unwind(AssertUnwindSafe(|| Program::compile(source)));
        let program = match parsed {
            Ok(Ok(program)) => program,
            Ok(Err(errors)) => return Err(refusal(said(&errors))),
            Err(_) => return Err(refusal(text("cannot be read", "no se puede leer"))),
        };
        let mut size = Size::default();
        size.count(program.expression(), 0);
        if size.nodes > NODES_MAX || size.loops > 1 {
            return Err(refusal(text(
                "costs too much: up to 300 parts, and no loop in a loop",
                "cuesta demasiado: hasta 300 partes, y ningún bucle dentro de otro",
            )));
        }
        let known = |name: &&str| *name == "event" || size.names.iter().any(|own| own == name);
        let unknown =
            program.references().variables().into_iter().find(|v| !known(v)).map(|name| {
                let column = source.find(name).map_or(1, |at| at + 1);
                text(
                    format!("line 1, column {column}: only `event` is known, not `{name}`"),
                    format!("línea 1, columna {column}: sólo se conoce `event`, no `{name}`"),
                )
            });
        unknown.map_or(Ok(Self(program)), |said| Err(refusal(said)))
    }

    /// What it says of an event, given as [`variable`].
    pub(crate) fn verdict(&self, event: &Value) -> Verdict {
        static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));
        let mut context = Context::with_env(STANDARD.clone());
        context.add_variable_from_value("event", event.clone());
        let run = || self.0.execute(&context);
        match std::panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(Value::Bool(true))) => Verdict::Passes,
            Ok(Ok(Value::Bool(false))) => Verdict::Fails,
            Ok(Ok(other)) => Verdict::Broken(format!("it gives {}, not a bool", other.type_of())),
            Ok(Err(error)) => Verdict::Broken(error.to_string()),
            Err(_) => Verdict::Broken("it cannot be worked out".to_owned()),
        }
    }
}

/// An event as expressions see it.
pub(crate) fn variable(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(items) => Value::List(Arc::new(items.iter().map(variable).collect())),
        Json::Object(members) => {
            let pair = |(name, value): (&String, &Json)| {
                (Key::String(Arc::new(name.clone())), variable(value))
            };
            Value::Map(Map { map: Arc::new(members.iter().map(pair).collect::<HashMap<_, _>>()) })
        }
    }
}

/// The deepest that brackets and signs nest; the parser recurses as deep.
fn nesting(source: &str) -> usize {
    let (mut depth, mut signs, mut deepest) = (0_usize, 0_usize, 0);
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '?' => signs += 1,
            c if c.is_whitespace() => {}
            // A sign belongs to the operand that follows; `?` goes on to the end.
            _ => signs = 0,
        }
        deepest = deepest.max(depth + signs);
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

/// What there is in an expression.
#[derive(Default)]
struct Size {
    nodes: usize,
    /// How deep loops stand in each other.
    loops: usize,
    /// The variables of the loops.
    names: Vec<String>,
}

impl Size {
    fn count(&mut self, node: &IdedExpr, loops: usize) {
        self.nodes += 1;
        self.loops = self.loops.max(loops);
        if self.nodes > NODES_MAX {
            return;
        }
        match &node.expr {
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.count(target, loops));
                call.args.iter().for_each(|argument| self.count(argument, loops));
            }
            Expr::Comprehension(each) => {
                self.count(&each.iter_range, loops);
                self.loops = self.loops.max(loops + 1);
                let names = [Some(&each.iter_var), each.iter_var2.as_ref(), Some(&each.accu_var)];
                self.names.extend(names.into_iter().flatten().cloned());
                for part in [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result] {
                    self.count(part, loops + 1);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|item| self.count(item, loops)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.count(&entry.key, loops);
                        self.count(&entry.value, loops);
                    }
                }
            }
            Expr::Select(select) => self.count(&select.operand, loops),
            Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(source: &str) -> Verdict {
        let event = json!({
            "type": "product.updated",
            "data": {"status": "active", "price": 1999, "tags": ["a", "b"]},
            "previous": {"status": "draft"},
        });
        Filter::compile(source)
            .unwrap_or_else(|e| panic!("{source}: {e:?}"))
            .verdict(&variable(&event))
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
        assert!(detail("event.a.all(x, event.b.all(y, x == y))").contains("costs too much"));
        assert!(detail(&"(".repeat(500)).contains("too deep"));
        assert!(detail(&"!".repeat(900)).contains("too deep"));
        assert!(detail(&format!("event.a == 1{}", " || event.a == 1".repeat(60))).contains("much"));
    }
}
