//! From what the parser makes of an expression to what is run: names are looked up once, functions
//! are known, and patterns are compiled.

use bodega_kernel::{Text, text};
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr,
    SelectExpr, operators as op,
};

use super::functions::{Function, Getter};
use super::pattern::{PATTERNS_MAX, Pattern};

/// How many operations, literals and names an expression may have.
const NODES_MAX: usize = 300;

/// How deep they may stand in each other. It is what evaluating takes of the stack.
const DEPTH_MAX: usize = 150;

/// A part of an expression, ready to run.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// The event.
    Event,
    /// The variable of a loop around it, counted from the outermost.
    Local(usize),
    /// A field; or, with `test`, whether it is there.
    Select {
        of: Box<Node>,
        field: String,
        test: bool,
    },
    /// A field as an optional: `event.data.?brand`.
    SelectOptional(Box<Node>, String),
    Index {
        of: Box<Node>,
        at: Box<Node>,
        optional: bool,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    /// True unless it is false; what goes wrong in it counts as true.
    NotFalse(Box<Node>),
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Box<Pattern>),
    /// With whether an element that is an empty optional is left out.
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    Loop(Box<Loop>),
}

/// A loop, as the macros `all`, `exists`, `exists_one`, `map` and `filter` make it. It has two
/// variables: what was gathered, and the element.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) over: Node,
    pub(super) turn: Turn,
}

/// What a turn of a loop does.
#[derive(Debug)]
pub(super) enum Turn {
    /// Adds to a list, if the guard holds.
    Append { guard: Option<Node>, items: Node },
    /// Works out the next of what is gathered.
    Step { first: Node, goes_on: Node, step: Node, absorbs: Option<bool>, last: Node },
}

/// Makes the plan of an expression.
#[derive(Default)]
pub(super) struct Planner<'s> {
    source: &'s str,
    nodes: usize,
    depth: usize,
    patterns: usize,
    names: Vec<String>,
}

type Planned<T = Node> = Result<T, Text>;

impl<'s> Planner<'s> {
    pub(super) fn of(source: &'s str) -> Self {
        Self { source, ..Self::default() }
    }

    pub(super) fn plan(&mut self, part: &IdedExpr) -> Planned {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > NODES_MAX || self.depth > DEPTH_MAX {
            return Err(text(
                format!("costs too much: up to {NODES_MAX} parts, {DEPTH_MAX} in each other"),
                format!("cuesta demasiado: hasta {NODES_MAX} partes, {DEPTH_MAX} anidadas"),
            ));
        }
        let planned = match &part.expr {
            Expr::Literal(literal) => Ok(plain(literal)),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Comprehension(each) => self.each(each),
            Expr::Struct(_) | Expr::Unspecified => {
                Err(text("makes a typed object, and there are none", "crea un objeto con tipo"))
            }
        };
        self.depth -= 1;
        planned
    }

    fn boxed(&mut self, part: &IdedExpr) -> Planned<Box<Node>> {
        self.plan(part).map(Box::new)
    }

    fn name(&self, name: &str) -> Planned {
        if let Some(local) = self.names.iter().rposition(|own| own == name) {
            return Ok(Node::Local(local));
        }
        match name {
            "event" => Ok(Node::Event),
            name => {
                let column = self.source.find(name).map_or(1, |at| at + 1);
                Err(text(
                    format!("line 1, column {column}: only `event` is known, not `{name}`"),
                    format!("línea 1, columna {column}: sólo se conoce `event`, no `{name}`"),
                ))
            }
        }
    }

    fn select(&mut self, select: &SelectExpr) -> Planned {
        let (of, field) = (self.boxed(&select.operand)?, select.field.clone());
        Ok(Node::Select { of, field, test: select.test })
    }

    fn call(&mut self, call: &CallExpr) -> Planned {
        let name = call.func_name.as_str();
        if let (None, [a, b]) = (&call.target, call.args.as_slice()) {
            match name {
                op::LOGICAL_AND => return Ok(Node::And(self.boxed(a)?, self.boxed(b)?)),
                op::LOGICAL_OR => return Ok(Node::Or(self.boxed(a)?, self.boxed(b)?)),
                op::INDEX | op::OPT_INDEX => {
                    let (of, at) = (self.boxed(a)?, self.boxed(b)?);
                    return Ok(Node::Index { of, at, optional: name == op::OPT_INDEX });
                }
                op::OPT_SELECT => {
                    let Expr::Literal(LiteralValue::String(field)) = &b.expr else {
                        return Err(text("a field has a name", "un campo tiene nombre"));
                    };
                    return Ok(Node::SelectOptional(self.boxed(a)?, field.inner().to_owned()));
                }
                _ => {}
            }
        }
        match (&call.target, name, call.args.as_slice()) {
            (None, op::CONDITIONAL, [a, b, c]) => {
                Ok(Node::If(self.boxed(a)?, self.boxed(b)?, self.boxed(c)?))
            }
            (None, op::NOT_STRICTLY_FALSE, [a]) => Ok(Node::NotFalse(self.boxed(a)?)),
            (Some(of), "matches", [pattern]) => self.matches(of, pattern),
            (None, "matches", [of, pattern]) => self.matches(of, pattern),
            (target, name, _) => {
                let Some(function) = Function::named(name, target.is_some()) else {
                    return Err(text(
                        format!("there is no function `{name}` here"),
                        format!("aquí no hay una función `{name}`"),
                    ));
                };
                let args = target.iter().map(AsRef::as_ref).chain(&call.args);
                let args = args.map(|arg| self.plan(arg)).collect::<Planned<_>>()?;
                Ok(Node::Call(function, args))
            }
        }
    }

    /// A pattern that is written out is compiled here, once.
    fn matches(&mut self, of: &IdedExpr, pattern: &IdedExpr) -> Planned {
        self.patterns += 1;
        if self.patterns > PATTERNS_MAX {
            return Err(text(
                format!("costs too much: `matches` is there more than {PATTERNS_MAX} times"),
                format!("cuesta demasiado: `matches` aparece más de {PATTERNS_MAX} veces"),
            ));
        }
        let of = self.boxed(of)?;
        match &pattern.expr {
            Expr::Literal(LiteralValue::String(pattern)) => {
                Ok(Node::Matches(of, Box::new(Pattern::compile(pattern.inner())?)))
            }
            _ => Ok(Node::Call(Function::Matches, vec![*of, self.plan(pattern)?])),
        }
    }

    fn list(&mut self, list: &ListExpr) -> Planned {
        let element = |(at, part)| Ok((self.plan(part)?, list.optional_indices.contains(&at)));
        Ok(Node::List(list.elements.iter().enumerate().map(element).collect::<Planned<_>>()?))
    }

    fn map(&mut self, map: &MapExpr) -> Planned {
        let mut entries = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(text("is not a map", "no es un mapa"));
            };
            entries.push((self.plan(&entry.key)?, self.plan(&entry.value)?, entry.optional));
        }
        Ok(Node::Map(entries))
    }

    fn each(&mut self, each: &ComprehensionExpr) -> Planned {
        if each.iter_var2.is_some() {
            return Err(text("a loop has one variable", "un bucle tiene una variable"));
        }
        let over = self.plan(&each.iter_range)?;
        let first = self.plan(&each.accu_init)?;
        let outside = self.names.len();
        self.names.extend([each.accu_var.clone(), each.iter_var.clone()]);
        let turn = match appended(each) {
            Some((guard, items)) => Turn::Append {
                guard: guard.map(|guard| self.plan(guard)).transpose()?,
                items: self.plan(items)?,
            },
            None => Turn::Step {
                first,
                goes_on: self.plan(&each.loop_cond)?,
                step: self.plan(&each.loop_step)?,
                absorbs: absorbs(each),
                last: self.plan(&each.result)?,
            },
        };
        self.names.truncate(outside);
        Ok(Node::Loop(Box::new(Loop { over, turn })))
    }
}

fn plain(literal: &LiteralValue) -> Node {
    match literal {
        LiteralValue::Null => Node::Null,
        LiteralValue::Boolean(yes) => Node::Bool(*yes.inner()),
        LiteralValue::Int(number) => Node::Int(*number.inner()),
        LiteralValue::UInt(number) => Node::Uint(*number.inner()),
        LiteralValue::Double(number) => Node::Double(*number.inner()),
        LiteralValue::String(text) => Node::Text(text.inner().to_owned()),
        LiteralValue::Bytes(bytes) => Node::Bytes(bytes.inner().to_vec()),
    }
}

fn is_gathered(each: &ComprehensionExpr, part: &IdedExpr) -> bool {
    matches!(&part.expr, Expr::Ident(name) if *name == each.accu_var)
}

/// The guard and the items of a loop that only adds to a list, which would otherwise be copied in
/// every turn.
fn appended(each: &ComprehensionExpr) -> Option<(Option<&IdedExpr>, &IdedExpr)> {
    let items = |part| match call(part)? {
        (op::ADD, [list, items]) if is_gathered(each, list) => {
            matches!(items.expr, Expr::List(_)).then_some(items)
        }
        _ => None,
    };
    let empty = matches!(&each.accu_init.expr, Expr::List(list) if list.elements.is_empty());
    let always = matches!(each.loop_cond.expr, Expr::Literal(LiteralValue::Boolean(_)));
    if !empty || !always || !is_gathered(each, &each.result) {
        return None;
    }
    match call(&each.loop_step) {
        Some((op::CONDITIONAL, [guard, step, other])) if is_gathered(each, other) => {
            Some((Some(guard), items(step)?))
        }
        _ => Some((None, items(&each.loop_step)?)),
    }
}

/// Of a loop that ends in `&&` or `||`: the value that decides it, whatever went wrong before.
fn absorbs(each: &ComprehensionExpr) -> Option<bool> {
    match call(&each.loop_step)? {
        (op::LOGICAL_AND, [gathered, _]) if is_gathered(each, gathered) => Some(false),
        (op::LOGICAL_OR, [gathered, _]) if is_gathered(each, gathered) => Some(true),
        _ => None,
    }
}

fn call(part: &IdedExpr) -> Option<(&str, &[IdedExpr])> {
    match &part.expr {
        Expr::Call(call) if call.target.is_none() => Some((&call.func_name, &call.args)),
        _ => None,
    }
}

impl Function {
    /// A function, or a method of its first argument.
    fn named(name: &str, method: bool) -> Option<Self> {
        Some(match (name, method) {
            (op::LOGICAL_NOT, false) => Self::Not,
            (op::NEGATE, false) => Self::Negate,
            (op::ADD, false) => Self::Add,
            (op::SUBSTRACT, false) => Self::Subtract,
            (op::MULTIPLY, false) => Self::Multiply,
            (op::DIVIDE, false) => Self::Divide,
            (op::MODULO, false) => Self::Modulo,
            (op::EQUALS, false) => Self::Equals,
            (op::NOT_EQUALS, false) => Self::NotEquals,
            (op::LESS, false) => Self::Less,
            (op::LESS_EQUALS, false) => Self::LessEquals,
            (op::GREATER, false) => Self::Greater,
            (op::GREATER_EQUALS, false) => Self::GreaterEquals,
            (op::IN, false) => Self::In,
            ("size", _) => Self::Size,
            ("contains", true) => Self::Contains,
            ("startsWith", true) => Self::StartsWith,
            ("endsWith", true) => Self::EndsWith,
            ("string", false) => Self::ToText,
            ("int", false) => Self::ToInt,
            ("uint", false) => Self::ToUint,
            ("double", false) => Self::ToDouble,
            ("bool", false) => Self::ToBool,
            ("bytes", false) => Self::ToBytes,
            ("dyn", false) => Self::Same,
            ("type", false) => Self::TypeOf,
            ("timestamp", false) => Self::ToTimestamp,
            ("duration", false) => Self::ToDuration,
            ("hasValue", true) => Self::HasValue,
            ("value", true) => Self::ValueOf,
            ("or", true) => Self::OrOptional,
            ("orValue", true) => Self::OrValue,
            (name, true) => Self::Get(Getter::named(name)?),
            _ => return None,
        })
    }
}
