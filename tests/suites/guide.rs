//! The guide to webhooks shows the very programs that `tests/receivers` runs.

use std::path::Path;

const RECEIVERS: [(&str, &str); 3] = [
    ("js", "javascript/receiver.js"),
    ("python", "python/receiver.py"),
    ("rust", "rust/src/main.rs"),
];

#[test]
fn the_guide_shows_the_receivers_that_are_tested() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let read = |path: &str| std::fs::read_to_string(top.join(path)).expect(path);
    let guide = read("sdk/webhooks.md");
    for (language, path) in RECEIVERS {
        let program = read(&format!("tests/receivers/{path}"));
        let shown = format!("```{language}\n{program}```\n");
        assert!(guide.contains(&shown), "sdk/webhooks.md does not show {path} as it is");
    }
}
