//! What is committed to `openapi/`, so that a change of the contract shows in a review.

use bodega_contract::Registry;
use bodega_kernel::{Code, Language, Text, Versions, problem};
use serde_json::{Value, json};

/// The files of `openapi/` that this door makes, by their name there.
pub fn artifacts(registry: &Registry, versions: &Versions) -> Vec<(String, String)> {
    let mut all = vec![
        ("openapi.json".to_owned(), pretty(&crate::openapi(registry, versions))),
        ("problems.json".to_owned(), pretty(&problems())),
    ];
    for name in registry.events().keys() {
        if let Some(event) = crate::event_doc(registry, versions, name) {
            all.push((format!("events/{name}.json"), pretty(&event.schema)));
        }
    }
    all
}

fn problems() -> Value {
    let both = |text: &Text| {
        let (en, es) = (text.get(Language::English), text.get(Language::Spanish));
        json!({"en": en, "es": es})
    };
    let entry = |code: &&Code| {
        json!({
            "code": code.code,
            "status": code.status,
            "title": both(&code.title),
            "about": both(&code.about),
        })
    };
    problem::ALL.iter().map(entry).collect()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy;

    #[test]
    fn each_file_is_json_and_ends_in_a_line() {
        for (name, content) in artifacts(&toy::registry(), &toy::versions()) {
            assert!(serde_json::from_str::<Value>(&content).is_ok(), "{name}");
            assert!(content.ends_with("}\n") || content.ends_with("]\n"));
        }
    }

    #[test]
    fn the_table_of_problems_is_whole() {
        let table = problems();
        assert_eq!(table.as_array().map(Vec::len), Some(problem::ALL.len()));
        assert!(table[0]["about"]["es"].is_string());
    }
}
