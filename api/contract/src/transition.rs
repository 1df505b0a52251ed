//! States as data: which actions lead from which states to which.
//!
//! From a declared transition come its handler, its problem with the actions that are allowed
//! instead, its place in the docs, and the tests' way into any state.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use bodega_kernel::{Event, Problem, Result, Row, Stateful, Tx, Writable, problem};
use sea_orm::EntityTrait;
use serde::Serialize;
use serde_json::Value;

use crate::handler::{command, reply};
use crate::{Declared, Output, Resource};

/// An action that leads from some states to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The action: `publish`.
    pub verb: &'static str,
    /// The states it starts from.
    pub from: Vec<String>,
    /// The states it can lead to: one, unless the handler decides.
    pub to: Vec<String>,
}

/// The states of a resource's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// The field that shows the state.
    pub field: &'static str,
    /// Every state there is.
    pub states: Vec<String>,
    /// The states an object can be made in.
    pub initial: Vec<String>,
    /// States that only the platform itself leads to.
    pub automatic: Vec<String>,
}

/// The transitions declared so far, for the handler of each: a refusal names the others.
pub(crate) type Transitions = Arc<Mutex<Vec<Transition>>>;

impl<V: Stateful> Resource<V>
where
    Row<V>: Writable<V>,
    <V::Entity as EntityTrait>::ActiveModel: Send,
{
    /// The states that objects have, and those they can be made in. Before the first transition.
    pub fn states<const N: usize>(mut self, initial: [V::State; N]) -> Self {
        self.parts.life = Some(Life {
            field: V::FIELD,
            states: <V::State as sea_orm::Iterable>::iter().map(word).collect(),
            initial: initial.into_iter().map(word).collect(),
            automatic: Vec::new(),
        });
        self
    }

    /// States that no action leads to, but the platform by itself.
    pub fn automatic<const N: usize>(mut self, states: [V::State; N]) -> Self {
        if let Some(life) = &mut self.parts.life {
            life.automatic = states.into_iter().map(word).collect();
        }
        self
    }

    /// `POST /v1/products/{id}/publish`: from one of these states to that one, and nothing else.
    pub fn transition<const N: usize>(
        self,
        verb: &'static str,
        about: &str,
        from: [V::State; N],
        to: V::State,
        event: &'static Event,
    ) -> Self {
        let run = move |tx: Tx, row: Row<V>| async move {
            let set = |next: &mut Row<V>| {
                V::set_state(next, to);
                Ok(())
            };
            tx.update::<Row<V>, V>(event, row, set).await
        };
        self.moving(verb, about, from, [to], run).emits(event)
    }

    /// A transition with work of its own: it gets the row, locked and in one of the states it may
    /// start from, and leads to one of those it names.
    pub fn transition_with<const N: usize, const M: usize, F>(
        self,
        verb: &'static str,
        about: &str,
        from: [V::State; N],
        to: [V::State; M],
        run: fn(Tx, Row<V>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<V>> + Send + 'static,
    {
        self.moving(verb, about, from, to, run)
    }

    fn moving<const N: usize, const M: usize, R, F>(
        self,
        verb: &'static str,
        about: &str,
        from: [V::State; N],
        to: [V::State; M],
        run: R,
    ) -> Self
    where
        R: Fn(Tx, Row<V>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<V>> + Send + 'static,
    {
        let transition = Transition {
            verb,
            from: from.iter().copied().map(word).collect(),
            to: to.iter().copied().map(word).collect(),
        };
        locked(&self.parts.transitions).push(transition.clone());
        let all = Arc::clone(&self.parts.transitions);
        let run = Arc::new(run);
        let handler = command(move |tx, input| {
            let (all, run) = (Arc::clone(&all), Arc::clone(&run));
            let read = input.object::<V>(&tx);
            reply(async move {
                let row = tx.load(read?).await?;
                let state = V::state(&row);
                if !from.contains(&state) {
                    return Err(refused(&locked(&all), verb, state));
                }
                run(tx, row).await
            })
        });
        let output = Output::One(self.parts.view.clone());
        let mut action = self.parts.acting(verb, about, output, handler);
        if let Some(life) = &self.parts.life {
            let (field, from) = (life.field, listed(&transition.from, "or"));
            action.about.push_str(&format!(" It can be called while `{field}` is {from}."));
        }
        action.transition = Some(transition);
        action.fails.push(&problem::INVALID_TRANSITION);
        self.push(action)
    }
}

/// The problem of an action that the state does not allow.
fn refused(all: &[Transition], verb: &str, state: impl Serialize) -> Problem {
    let state = word(state);
    let allowed = all.iter().filter(|transition| transition.from.contains(&state));
    let (actions, states): (Vec<_>, Vec<_>) =
        allowed.map(|transition| (transition.verb, &transition.to)).unzip();
    let mut states: Vec<_> = states.into_iter().flatten().cloned().collect();
    states.sort_unstable();
    states.dedup();
    let to = all.iter().find(|transition| transition.verb == verb);
    Problem::new(&problem::INVALID_TRANSITION)
        .with("from", state)
        .with("to", to.and_then(|transition| transition.to.first()).cloned())
        .with("allowed", states)
        .with("allowed_actions", actions)
}

/// What is wrong with the states of a resource.
pub(crate) fn lint(resource: &Declared) -> Vec<String> {
    let Some(life) = &resource.life else { return Vec::new() };
    let all = locked(&resource.transitions);
    let reached = |state: &String| {
        life.initial.contains(state)
            || life.automatic.contains(state)
            || all.iter().any(|transition| transition.to.contains(state))
    };
    let lost = life.states.iter().filter(|state| !reached(state));
    let mut faults: Vec<_> =
        lost.map(|state| format!("{}: nothing leads to {state}", resource.name)).collect();
    for (index, transition) in all.iter().enumerate() {
        let same = all.iter().skip(index + 1).any(|other| {
            other.to == transition.to && other.from.iter().any(|s| transition.from.contains(s))
        });
        if same {
            let verb = transition.verb;
            faults.push(format!("{}: another action does what {verb} does", resource.name));
        }
    }
    faults
}

/// A drawing of the states, for Mermaid.
pub fn drawing(life: &Life, transitions: &[Transition]) -> String {
    let mut drawing = String::from("stateDiagram-v2\n");
    for state in &life.initial {
        drawing.push_str(&format!("    [*] --> {state}\n"));
    }
    for transition in transitions {
        for from in &transition.from {
            for to in &transition.to {
                drawing.push_str(&format!("    {from} --> {to}: {}\n", transition.verb));
            }
        }
    }
    drawing
}

/// `` `draft`, `proposed` or `archived` ``.
fn listed(words: &[String], and: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {and} {last}", others.join(", ")),
        None => String::new(),
    }
}

pub(crate) fn locked(transitions: &Transitions) -> std::sync::MutexGuard<'_, Vec<Transition>> {
    transitions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A state by its name in the API.
fn word(state: impl Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}
