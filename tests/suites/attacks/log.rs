//! Who may see only a part of the log gets on in it, past what is not theirs.

use std::time::Duration;

use bodega_tests::{Db, Server, both};
use serde_json::json;

use super::sight::{PATIENCE, brand, client, settled_log};
use crate::walk::fixtures;

both!(whoever_sees_little_of_the_log_gets_on_in_it);

async fn whoever_sees_little_of_the_log_gets_on_in_it(db: Db) {
    let server = Server::start(db).await;
    let (_, key) = server.key(&["events:read", "organization:read"]).await;
    for _ in 0..5 {
        brand(&server).await;
    }
    settled_log(&server).await;
    let last = server.number("SELECT MAX(last_sequence) FROM event_stream").await;
    let page = async |query: &str| {
        let path = format!("/v1/events?{query}");
        server.call_as(&key, "GET", &path).send().await
    };
    // Nothing of the end of the log is for this key, and it is passed over.
    let tail = page(&format!("after={}", last - 3)).await.expect(200);
    assert_eq!((&tail["data"], &tail["reached"]), (&json!([]), &json!(last)));
    let beyond = page(&format!("after={}&wait_s=30", last + 1_000)).await;
    beyond.expect_problem(409, "ahead_of_log");

    // While it waits, what is not for it is passed over too, and what is for it is not.
    let path = format!("/v1/events?after={last}&wait_s=30");
    let waiting = tokio::spawn(server.call_as(&key, "GET", &path).send());
    for _ in 0..3 {
        brand(&server).await;
        settled_log(&server).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "it was told of what it may not see");
    let call = client().get(format!("{}/v1/events/stream?after={last}", server.url));
    let mut stream = call.bearer_auth(&key).send().await.expect("a stream");
    let change = json!({"name": fixtures::fresh("Tienda")});
    let path = format!("/v1/organizations/{}", server.organization);
    server.call("PATCH", &path).json(&change).send().await.expect(200);
    let told = tokio::time::timeout(PATIENCE, waiting).await.expect("in time").expect("an answer");
    let told = told.expect(200);
    assert_eq!(told["data"][0]["type"], "organization.updated", "{told}");
    assert_eq!(told["data"][0]["sequence"], last + 4);
    assert_eq!(told["reached"], last + 4);

    // A stream says how far it has come, also where it has nothing to tell.
    brand(&server).await;
    settled_log(&server).await;
    let mut read = String::new();
    let told = async {
        while !read.contains(&format!("id: {}\n\n", last + 5)) {
            let chunk = stream.chunk().await.expect("bytes").expect("more of the stream");
            read.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("it gets on");
    assert!(!read.contains("brand"), "{read}");
}
