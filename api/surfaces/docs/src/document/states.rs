//! The states of a resource's objects: as data on its type, and as a table and a drawing for people.

use bodega_contract::{Registry, drawing};
use serde_json::{Value, json};

/// Adds the states to the type of a resource that has any.
pub(super) fn add(registry: &Registry, resource: &str, schema: &mut Value) {
    let (Some(life), Some(members)) = (registry.life(resource), schema.as_object_mut()) else {
        return;
    };
    let transitions = registry.transitions(resource);
    let actions = transitions.iter().map(|one| {
        let operation = format!("{resource}.{}", one.verb);
        json!({"operation": operation, "from": one.from, "to": one.to})
    });
    let states = json!({
        "field": life.field,
        "states": life.states,
        "initial": life.initial,
        "automatic": life.automatic,
        "transitions": actions.collect::<Vec<_>>(),
        "mermaid": drawing(life, &transitions),
    });
    members.insert("x-states".to_owned(), states);
}

/// The states of a resource that has any, in Markdown: what a new object can be, which action leads
/// where, and all of it as a drawing for Mermaid.
pub(super) fn told(registry: &Registry, resource: &str) -> Option<String> {
    let life = registry.life(resource)?;
    let transitions = registry.transitions(resource);
    let words = |all: &[String]| {
        all.iter().map(|state| format!("`{state}`")).collect::<Vec<_>>().join(", ")
    };
    let mut told = format!(
        "\n\nIts `{}` is one of {}; a new one starts as one of {}. Actions lead from one to another:\n\n\
         | Action | From | To |\n|---|---|---|\n",
        life.field,
        words(&life.states),
        words(&life.initial),
    );
    for one in &transitions {
        told.push_str(&format!("| `{}` | {} | {} |\n", one.verb, words(&one.from), words(&one.to)));
    }
    told.push_str(&format!("\n```mermaid\n{}```", drawing(life, &transitions)));
    Some(told)
}
