//! The version of an object: it guards changes, grows by one with each, and tells what is still so.

use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::operations::Operation;
use super::walker::{Ready, Walk, id_of};

both!(
    a_stale_version_is_refused_and_the_current_one_is_not,
    what_is_still_so_is_not_sent_again,
    a_change_that_changes_nothing_writes_nothing,
);

async fn a_stale_version_is_refused_and_the_current_one_is_not(db: Db) {
    let walk = Walk::start(db).await;
    let guarded: Vec<_> =
        walk.commands().filter(|one| one.parameter("If-Match").is_some()).collect();
    let with_id: Vec<_> = walk.commands().filter(|one| one.has_id()).collect();
    let names = |all: &[&Operation]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(names(&guarded), names(&with_id), "what changes an object takes If-Match");
    for operation in guarded {
        for write in ["\"N\"", "N", "W/\"N\""] {
            let ready = walk.ready(operation).await;
            let before = touched(&walk, &ready).await;
            let version = before["version"].as_i64().expect("a version");
            let rows = walk.rows().await;
            for stale in [version - 1, version + 1, 0] {
                let tag = write.replace('N', &stale.to_string());
                let seen = walk.send(operation, walk.call(&ready).header("If-Match", &tag)).await;
                seen.refused(412, "version_mismatch");
            }
            assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
            assert_eq!(object(&walk, &ready).await, Some(before), "{}: changed it", operation.id);

            let tag = write.replace('N', &version.to_string());
            let seen = walk.send(operation, walk.call(&ready).header("If-Match", &tag)).await;
            let done = seen.done();
            match object(&walk, &ready).await {
                // The one that is sent again stays as it was; there is a new one beside it.
                Some(after) if operation.verb == "resend" => assert_eq!(after["version"], version),
                Some(after) => assert_eq!(after["version"], version + 1, "{}", operation.id),
                None => assert_eq!(operation.verb, "delete", "{}: gone", operation.id),
            }
            // The tag is of what the answer shows: the object, or the new one beside it.
            let shown = done["version"].as_i64().map(|version| format!("\"{version}\""));
            assert_eq!(seen.header("etag"), shown.unwrap_or_default(), "{}", operation.id);
            if done["id"].as_str() == ready.id.as_deref() && operation.verb != "delete" {
                assert_eq!(done["version"], version + 1, "{}", operation.id);
            }
        }
        let ready = walk.ready(operation).await;
        walk.send(operation, walk.call(&ready).header("If-Match", "*")).await.done();
    }
}

async fn what_is_still_so_is_not_sent_again(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.operations.iter().filter(|one| one.method == "GET") {
        let id = &operation.id;
        // Something to list.
        walk.object(&walk.server.live_key, &operation.resource).await;
        let mut ready = walk.ready(operation).await;
        if operation.is_list() && operation.choices("fields").iter().any(|one| one == "version") {
            // When a key was last used changes with each call, and is no new version of it.
            ready.path.push_str("?fields=id,version");
        }
        let if_none = async |tag: &str| {
            walk.send(operation, walk.call(&ready).header("If-None-Match", tag)).await
        };
        let first = walk.send(operation, walk.call(&ready)).await;
        let body = first.done();
        let tag = first.header("etag").to_owned();
        assert!(!tag.is_empty(), "{id}: no ETag");
        if let Some(version) = body["version"].as_i64() {
            assert_eq!(tag, format!("\"{version}\""), "{id}");
        }
        if operation.resource == "request" && operation.is_list() {
            // Each call changes this one.
            continue;
        }
        for same in [tag.clone(), "*".to_owned(), format!("\"0\", {tag}"), format!("W/{tag}")] {
            let same = same.replace("W/W/", "W/");
            let seen = if_none(&same).await;
            assert_eq!((seen.status, seen.bytes.len()), (304, 0), "{id}: {same}: {}", seen.told());
            assert_eq!(seen.header("etag"), tag, "{id}");
        }
        if_none("\"nope\"").await.done();
        let update =
            walk.operations.iter().find(|one| one.id == format!("{}.update", operation.resource));
        if let Some(update) = update {
            // The list's newest object, or the one that was read, changes: what was so is no more.
            let changed = ready.id.clone().unwrap_or_else(|| id_of(&body["data"][0]));
            let mut patch = walk.ready(update).await;
            patch.path = update.at(&changed);
            walk.send(update, walk.call(&patch)).await.done();
            let seen = if_none(&tag).await;
            seen.done();
            assert_ne!(seen.header("etag"), tag, "{id}");
        }
    }
}

async fn a_change_that_changes_nothing_writes_nothing(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.commands().filter(|one| one.verb == "update") {
        let mut ready = walk.ready(operation).await;
        let done = walk.send(operation, walk.call(&ready)).await.done();
        let rows = walk.rows().await;
        let again = walk.send(operation, walk.call(&ready)).await;
        assert_eq!(again.done(), done, "{}: the same patch again", operation.id);
        ready.body = Some(json!({}));
        let empty = walk.send(operation, walk.call(&ready)).await;
        assert_eq!(empty.done(), done, "{}: an empty patch", operation.id);
        assert_eq!(empty.header("etag"), format!("\"{}\"", done["version"]), "{}", operation.id);
        assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
        // Still guarded.
        let call = walk.call(&ready).header("If-Match", "\"0\"");
        walk.send(operation, call).await.refused(412, "version_mismatch");
    }
}

/// Changes the object of a call once, so that it has a version that is stale; what it is now.
async fn touched(walk: &Walk, ready: &Ready<'_>) -> Value {
    let update = format!("{}.update", ready.operation.resource);
    if let Some(update) = walk.operations.iter().find(|one| one.id == update) {
        let mut patch = walk.ready(update).await;
        patch.path = update.at(ready.id.as_deref().expect("an id"));
        walk.send(update, walk.call(&patch)).await.done();
    }
    object(walk, ready).await.expect("an object")
}

/// The object of a call as it is now, if it is there.
async fn object(walk: &Walk, ready: &Ready<'_>) -> Option<Value> {
    let get = walk.operation(&format!("{}.get", ready.operation.resource));
    let path = get.at(ready.id.as_deref().expect("an id"));
    let seen = walk.send(get, walk.server.call("GET", &path)).await;
    (seen.status == 200).then(|| seen.done())
}
