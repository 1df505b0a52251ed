//! What stands where an id should: refused for what it is, and never more than that.

use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::fixtures::nowhere;
use super::operations::id_prefix;
use super::seen::observe;
use super::walker::{Walk, encode};

both!(an_id_of_another_type_is_told, what_is_no_id_is_refused, ids_in_bodies_are_checked);

async fn an_id_of_another_type_is_told(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.operations.iter().filter(|one| one.has_id()) {
        let Some(own) = operation.prefix() else { continue };
        for other in ["prod", "brand", "req", "zebra"].into_iter().filter(|other| *other != own) {
            let mut ready = walk.ready(operation).await;
            ready.path = operation.at(&nowhere(other));
            let rows = walk.rows().await;
            let seen = walk.send(operation, walk.call(&ready)).await;
            let problem = seen.refused(404, "wrong_id_type");
            assert_eq!(problem["expected_prefix"], own, "{}: {problem}", operation.id);
            assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
        }
    }
}

async fn what_is_no_id_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.operations.iter().filter(|one| one.has_id()) {
        let Some(own) = operation.prefix() else { continue };
        let long = format!("{own}_{}", "0".repeat(10_000));
        let endless = "x".repeat(17_000);
        let upper = nowhere(&own).to_uppercase();
        let spaced = format!("%20{}", nowhere(&own));
        let zzz = format!("{own}_zzz");
        // One more than 128 bits, and a letter that base32 does not have.
        let (over, letter) =
            (format!("{own}_8{}", "z".repeat(25)), format!("{own}_0{}", "u".repeat(25)));
        let ready = walk.ready(operation).await;
        let rows = walk.rows().await;
        for bad in [
            "x",
            "_",
            "0",
            "-1",
            "null",
            &own,
            &zzz,
            &long,
            &endless,
            &upper,
            &spaced,
            &over,
            &letter,
            "ñandú",
            "日本",
            "%00",
            "%ff%fe",
            "..%2f",
            "%2e%2e%2fbrands",
            "%27%20OR%201%3D1",
            "{id}",
        ] {
            let mut tried = ready.clone();
            tried.path = operation.at(bad);
            // Some of these never become a call, so only the problem is held against the document.
            let answer = walk.call(&tried).send().await;
            observe(operation, answer.status, &answer.body);
            let code = answer.body["code"].as_str().unwrap_or_default();
            let wanted = ["not_found", "wrong_id_type", "malformed_request", "uri_too_long"];
            assert!(wanted.contains(&code), "{}: {bad:.40}: {}", operation.id, answer.body);
        }
        assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
    }
}

async fn ids_in_bodies_are_checked(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.commands() {
        for reference in operation.references() {
            let field = reference.field.as_str();
            let of = |value: &str| match reference.many {
                true => (json!([value]), format!("/{field}/0")),
                false => (json!(value), format!("/{field}")),
            };
            let ready = walk.ready(operation).await;
            let rows = walk.rows().await;
            let tries = async |value: Value| {
                let mut tried = ready.clone();
                tried.body.as_mut().expect("a body")[field] = value;
                walk.send(operation, walk.call(&tried)).await
            };
            let (value, pointer) = of(&nowhere("zebra"));
            let problem = tries(value).await.refused(404, "wrong_id_type");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{}: {problem}", operation.id);
            assert_eq!(problem["expected_prefix"], reference.prefix, "{}", operation.id);
            for bad in ["", "x", "' OR 1=1", &format!("{}_zzz", reference.prefix)] {
                let (value, pointer) = of(bad);
                let detail = tries(value).await.invalid("body", &pointer, "pattern");
                assert!(detail.contains(&format!("`{}_`", reference.prefix)), "{bad}: {detail}");
            }
            let (_, pointer) = of("");
            let wrong = if reference.many { json!([17]) } else { json!(17) };
            tries(wrong).await.invalid("body", &pointer, "type");
            assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
        }
    }
    for list in walk.lists() {
        for filter in list.query() {
            let Some(prefix) = id_prefix(&filter.schema) else { continue };
            let of = |value: &str| format!("{}?{}={value}", list.path, encode(&filter.name));
            let call = walk.server.call("GET", &of(&nowhere("zebra")));
            let problem = walk.send(list, call).await.refused(404, "wrong_id_type");
            assert_eq!(problem["expected_prefix"], prefix, "{}: {problem}", list.id);
            let seen = walk.send(list, walk.server.call("GET", &of("x"))).await;
            let detail = seen.invalid("query", &format!("/{}", filter.name), "invalid");
            assert_eq!(
                detail,
                format!("must be an id that starts with `{prefix}_`"),
                "{}",
                list.id
            );
        }
    }
}
