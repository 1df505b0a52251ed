//! Runs the plan of an expression over an event, within a budget.

use std::rc::Rc;

use super::budget::{Budget, Fault, STEP};
use super::functions;
use super::plan::{Loop, Node, Turn};
use super::value::{ELEMENT_BYTES, Value};

/// One evaluation.
pub(super) struct Run<'e> {
    event: Value<'e>,
    /// The variables of the loops that it is in.
    locals: Vec<Value<'e>>,
    pub(super) budget: Budget,
}

type Made<'e> = Result<Value<'e>, Fault>;

impl<'e> Run<'e> {
    pub(super) fn new(event: Value<'e>) -> Self {
        Self { event, locals: Vec::new(), budget: Budget::default() }
    }

    pub(super) fn value(&mut self, node: &'e Node) -> Made<'e> {
        self.budget.spend(STEP)?;
        Ok(match node {
            Node::Null => Value::Null,
            Node::Bool(yes) => Value::Bool(*yes),
            Node::Int(number) => Value::Int(*number),
            Node::Uint(number) => Value::Uint(*number),
            Node::Double(number) => Value::Double(*number),
            Node::Text(text) => Value::Text(text),
            Node::Bytes(bytes) => Value::Bytes(bytes),
            Node::Event => self.event.clone(),
            Node::Local(at) => self.local(*at)?,
            Node::Select { of, field, test } => return self.select(of, field, *test),
            Node::SelectOptional(of, field) => return self.select_optional(of, field),
            Node::Index { of, at, optional } => return self.index(of, at, *optional),
            Node::And(a, b) => return self.logical(a, b, false),
            Node::Or(a, b) => return self.logical(a, b, true),
            Node::If(condition, yes, no) => {
                let branch = if self.truth(condition)? { yes } else { no };
                return self.value(branch);
            }
            Node::NotFalse(inner) => match self.truth(inner) {
                Err(Fault::TooCostly) => return Err(Fault::TooCostly),
                truth => Value::Bool(truth.unwrap_or(true)),
            },
            Node::Call(function, args) => return self.call(*function, args),
            Node::Matches(of, pattern) => {
                let of = self.value(of)?;
                let Some(text) = of.text() else { return Err(no_text(&of)) };
                Value::Bool(pattern.is_in(text, &mut self.budget)?)
            }
            Node::List(elements) => return self.list(elements),
            Node::Map(entries) => return self.map(entries),
            Node::Loop(each) => return self.each(each),
        })
    }

    fn local(&self, at: usize) -> Made<'e> {
        self.locals.get(at).cloned().ok_or_else(|| Fault::wrong("a name that is not known"))
    }

    fn truth(&mut self, node: &'e Node) -> Result<bool, Fault> {
        match self.value(node)? {
            Value::Bool(yes) => Ok(yes),
            other => Err(Fault::wrong(format!("{} is not a bool", other.type_name()))),
        }
    }

    fn call(&mut self, function: functions::Function, args: &'e [Node]) -> Made<'e> {
        // Functions take one, two or three; more are a mistake that the function tells.
        let mut values = Vec::with_capacity(args.len().min(4));
        for arg in args {
            values.push(self.value(arg)?);
        }
        functions::call(function, &values, &mut self.budget)
    }

    /// `&&` and `||`: what decides, decides, even where the other side goes wrong.
    fn logical(&mut self, a: &'e Node, b: &'e Node, decisive: bool) -> Made<'e> {
        let left = self.truth(a);
        match &left {
            Err(Fault::TooCostly) => return Err(Fault::TooCostly),
            Ok(left) if *left == decisive => return Ok(Value::Bool(decisive)),
            _ => {}
        }
        let right = self.truth(b)?;
        match left {
            Ok(_) => Ok(Value::Bool(right)),
            Err(_) if right == decisive => Ok(Value::Bool(decisive)),
            Err(fault) => Err(fault),
        }
    }

    fn select(&mut self, of: &'e Node, field: &'e str, test: bool) -> Made<'e> {
        let (of, optional) = match self.value(of)? {
            Value::Optional(None) if test => return Ok(Value::Bool(false)),
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => ((*inner).clone(), true),
            other => (other, false),
        };
        match of.member(&Value::Text(field), &mut self.budget)? {
            None => Err(Fault::wrong(format!("{} has no field `{field}`", of.type_name()))),
            Some(found) if test => Ok(Value::Bool(found.is_some())),
            Some(found) if optional => self.optional(found),
            Some(Some(found)) => Ok(found),
            Some(None) => Err(Fault::wrong(format!("there is no `{field}`"))),
        }
    }

    fn select_optional(&mut self, of: &'e Node, field: &'e str) -> Made<'e> {
        let of = match self.value(of)? {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => (*inner).clone(),
            other => other,
        };
        let found = of.member(&Value::Text(field), &mut self.budget)?.flatten();
        self.optional(found)
    }

    fn optional(&mut self, found: Option<Value<'e>>) -> Made<'e> {
        self.budget.make(ELEMENT_BYTES)?;
        Ok(Value::Optional(found.map(Rc::new)))
    }

    fn index(&mut self, of: &'e Node, at: &'e Node, optional: bool) -> Made<'e> {
        let (of, optional) = match self.value(of)? {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => ((*inner).clone(), true),
            other => (other, optional),
        };
        let at = self.value(at)?;
        let found = element(&of, &at, &mut self.budget);
        match found {
            Err(Fault::TooCostly) => Err(Fault::TooCostly),
            found if optional => self.optional(found.ok()),
            found => found,
        }
    }

    fn list(&mut self, elements: &'e [(Node, bool)]) -> Made<'e> {
        self.budget.make(elements.len() * ELEMENT_BYTES)?;
        let mut list = Vec::with_capacity(elements.len());
        for (element, optional) in elements {
            match (self.value(element)?, optional) {
                (Value::Optional(inner), true) => {
                    list.extend(inner.map(|inner| (*inner).clone()));
                }
                (value, _) => list.push(value),
            }
        }
        Ok(Value::List(Rc::new(list)))
    }

    fn map(&mut self, entries: &'e [(Node, Node, bool)]) -> Made<'e> {
        self.budget.make(entries.len() * 2 * ELEMENT_BYTES)?;
        let mut map: Vec<(Value<'e>, Value<'e>)> = Vec::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let key = self.value(key)?;
            if !key.is_key() {
                return Err(Fault::wrong(format!("{} is no key of a map", key.type_name())));
            }
            let value = match (self.value(value)?, optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(inner)), true) => (*inner).clone(),
                (value, _) => value,
            };
            for (other, _) in &map {
                if super::value::equals(other, &key, &mut self.budget)? {
                    return Err(Fault::wrong("a key is there twice"));
                }
            }
            map.push((key, value));
        }
        Ok(Value::Map(Rc::new(map)))
    }

    fn each(&mut self, each: &'e Loop) -> Made<'e> {
        let first = match &each.turn {
            Turn::Step { first, .. } => self.value(first)?,
            Turn::Append { .. } => Value::Null,
        };
        let over = self.value(&each.over)?;
        let Some(items) = over.each() else {
            return Err(Fault::wrong(format!("{} is no list or map", over.type_name())));
        };
        let outside = self.locals.len();
        self.locals.extend([first, Value::Null]);
        let done = self.turns(&each.turn, items, outside);
        self.locals.truncate(outside);
        done
    }

    fn turns(
        &mut self,
        turn: &'e Turn,
        items: Box<dyn Iterator<Item = Value<'e>> + '_>,
        gathered: usize,
    ) -> Made<'e> {
        match turn {
            Turn::Append { guard, items: added } => {
                let mut list = Vec::new();
                for item in items {
                    self.turn(gathered + 1, item)?;
                    if let Some(guard) = guard
                        && !self.truth(guard)?
                    {
                        continue;
                    }
                    let Value::List(more) = self.value(added)? else { continue };
                    self.budget.make(more.len() * ELEMENT_BYTES)?;
                    list.extend(more.iter().cloned());
                }
                Ok(Value::List(Rc::new(list)))
            }
            Turn::Step { first: _, goes_on, step, absorbs, last } => {
                let mut wrong = None;
                for item in items {
                    if !self.truth(goes_on)? {
                        break;
                    }
                    self.turn(gathered + 1, item)?;
                    match (self.value(step), absorbs) {
                        (Err(Fault::TooCostly), _) => return Err(Fault::TooCostly),
                        (Err(fault), None) => return Err(fault),
                        // A later element may decide all the same.
                        (Err(fault), Some(_)) => wrong = Some(fault),
                        (Ok(Value::Bool(value)), Some(decisive))
                            if wrong.is_some() && value != *decisive => {}
                        (Ok(value), _) => {
                            wrong = None;
                            self.set(gathered, value);
                        }
                    }
                }
                match wrong {
                    Some(fault) => Err(fault),
                    None => self.value(last),
                }
            }
        }
    }

    fn turn(&mut self, at: usize, item: Value<'e>) -> Result<(), Fault> {
        self.budget.spend(STEP)?;
        self.set(at, item);
        Ok(())
    }

    fn set(&mut self, at: usize, value: Value<'e>) {
        if let Some(local) = self.locals.get_mut(at) {
            *local = value;
        }
    }
}

fn no_text(value: &Value<'_>) -> Fault {
    Fault::wrong(format!("{} is not a string", value.type_name()))
}

/// An element of a list by its place, or of a map by its key.
fn element<'e>(of: &Value<'e>, at: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    if let Some(found) = of.member(at, budget)? {
        return match found {
            Some(found) => Ok(found),
            None if at.is_key() || matches!(at, Value::Double(_)) => {
                Err(Fault::wrong("there is no such key"))
            }
            None => Err(Fault::wrong(format!("{} is no key of a map", at.type_name()))),
        };
    }
    if !matches!(of, Value::Items(_) | Value::List(_)) {
        return Err(Fault::wrong(format!("{} has no elements", of.type_name())));
    }
    let place = match at {
        Value::Int(place) => usize::try_from(*place).ok(),
        Value::Uint(place) => usize::try_from(*place).ok(),
        // A whole number is one, however it is written.
        Value::Double(place) if place.fract() == 0.0 && *place >= 0.0 && *place < 1e15 => {
            Some(*place as usize)
        }
        _ => None,
    };
    let found = place.and_then(|place| of.item(place));
    found.ok_or_else(|| Fault::wrong("there is no element at this place"))
}
