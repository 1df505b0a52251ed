//! The chain of versions, on changes made up for the test.

use bodega_kernel::{VersionChange, Versions};
use serde_json::json;

fn versions() -> Versions {
    Versions::new(
        "2026-01-01",
        vec![
            VersionChange {
                date: "2026-02-01",
                about: "`name` became `title`",
                affects: &["thing.get", "thing.create"],
                request: |body| body["title"] = body["name"].take(),
                answer: |body| body["name"] = body["title"].take(),
            },
            VersionChange {
                date: "2026-03-01",
                about: "`title` became an object",
                affects: &["thing.get", "thing.create"],
                request: |body| body["title"] = json!({"text": body["title"].take()}),
                answer: |body| body["title"] = body["title"]["text"].take(),
            },
        ],
    )
}

#[test]
fn the_chain_runs_up_for_requests_and_down_for_answers() {
    let mut body = json!({"name": "a"});
    versions().upgrade("2026-01-01", "thing.create", &mut body);
    assert_eq!(body["title"], json!({"text": "a"}));
    versions().downgrade("2026-02-01", "thing.create", &mut body);
    assert_eq!(body["title"], "a");
    versions().downgrade("2026-01-01", "other.get", &mut body);
    assert_eq!(body["title"], "a");
    let mut answer = json!({"title": {"text": "b"}});
    versions().downgrade("2026-01-01", "thing.get", &mut answer);
    assert_eq!(answer["name"], "b");
}

#[test]
fn a_version_is_one_of_the_dates() {
    assert_eq!(versions().dates(), ["2026-01-01", "2026-02-01", "2026-03-01"]);
    assert_eq!(versions().choose(None, "2026-02-01").unwrap(), "2026-02-01");
    assert!(versions().choose(Some("2026-02-02"), "2026-02-01").is_err());
}
