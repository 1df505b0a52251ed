//! Who calls: no operation answers a call without a key that is good now.

use std::time::Duration;

use bodega_tests::{Call, Db, both};
use serde_json::json;

use super::operations::Operation;
use super::walker::Walk;

both!(
    a_refusal_says_what_is_wrong_with_the_header,
    a_call_without_a_good_key_is_refused,
    a_revoked_key_is_refused_at_once,
    an_expired_key_is_refused,
);

/// What is no key at all: a wrong scheme, an unknown secret, half of one, none.
const NO_KEYS: &[&str] = &[
    "Bearer bdg_live_0000000000000000000000000000000000000000",
    "Bearer bdg_live_",
    "Bearer x",
    "Bearer",
    "Basic dXNlcjpwYXNzd29yZA==",
    "",
];

async fn a_call_without_a_good_key_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    let half = format!("Bearer {}", &walk.server.live_key[..30]);
    let doubled = format!("Bearer {0}{0}", walk.server.live_key);
    for operation in &walk.operations {
        let ready = walk.ready(operation).await;
        let rows = walk.rows().await;
        let bare = || {
            let call = walk.server.call_without_key(&operation.method, &ready.path);
            ready.body.iter().fold(call, Call::json)
        };
        refused(&walk, operation, bare()).await;
        for header in NO_KEYS.iter().copied().chain([half.as_str(), doubled.as_str()]) {
            refused(&walk, operation, bare().header("Authorization", header)).await;
        }
        assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
    }
}

/// Not which keys there are: one that was never made is told the same as one that has ended.
async fn a_refusal_says_what_is_wrong_with_the_header(db: Db) {
    let walk = Walk::start(db).await;
    let ended = {
        let (id, key) = walk.server.key(&["catalog:read"]).await;
        let revoke = walk.operation("api_key.revoke");
        walk.send(revoke, walk.server.call("POST", &revoke.at(&id))).await.done();
        format!("Bearer {key}")
    };
    let bare = walk.server.live_key.clone();
    let told = [
        (None, ["There is no `Authorization` header", "Falta el encabezado `Authorization`"]),
        (Some("Basic dXNlcjpwYXNzd29yZA=="), ["is not `Bearer <key>`", "no es `Bearer <clave>`"]),
        (Some(bare.as_str()), ["is not `Bearer <key>`", "no es `Bearer <clave>`"]),
        (Some(NO_KEYS[0]), ["unknown, revoked or expired", "desconocida, revocada o vencida"]),
        (Some(ended.as_str()), ["unknown, revoked or expired", "desconocida, revocada o vencida"]),
    ];
    let body = json!({"query": "{ brands { totalCount } }"});
    for (header, details) in told {
        for (language, said) in ["en", "es"].into_iter().zip(details) {
            let rest = walk.server.call_without_key("GET", "/v1/brands");
            let graphql = walk.server.call_without_key("POST", "/graphql").json(&body);
            for call in [rest, graphql] {
                let call = call.header("Accept-Language", language);
                let call =
                    header.into_iter().fold(call, |c, value| c.header("Authorization", value));
                let refused = call.send().await.expect_problem(401, "unauthenticated");
                let detail = refused["detail"].as_str().unwrap_or_default();
                assert!(detail.contains(said), "{header:?} in {language}: {detail}");
            }
        }
    }
}

async fn a_revoked_key_is_refused_at_once(db: Db) {
    let walk = Walk::start(db).await;
    let scopes = walk.scopes();
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    for operation in &walk.operations {
        let ready = walk.ready(operation).await;
        let (id, key) = walk.server.key(&scopes).await;
        walk.send(operation, walk.call_as(&key, &ready)).await.done();
        let revoke = walk.operation("api_key.revoke");
        let revoked = walk.server.call("POST", &revoke.at(&id));
        walk.send(revoke, revoked).await.done();
        refused(&walk, operation, walk.call_as(&key, &ready)).await;
    }
}

async fn an_expired_key_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    let key = async |expires_at: &str| {
        let body = json!({"name": "Short", "scopes": walk.scopes(), "plan": "scale",
            "expires_at": expires_at});
        let create = walk.operation("api_key.create");
        let call = walk.server.call("POST", "/v1/api_keys").json(&body);
        let made = walk.send(create, call).await.done();
        made["secret"].as_str().expect("a secret").to_owned()
    };
    let past = key("2020-01-01T00:00:00Z").await;
    for operation in &walk.operations {
        let ready = walk.ready(operation).await;
        refused(&walk, operation, walk.call_as(&past, &ready)).await;
    }
    // One that was good when it was last used: what is remembered of a key ends with it.
    let soon = key(&walk.soon().await).await;
    let list = walk.operation("brand.list");
    let call = || walk.server.call_as(&soon, "GET", &list.path);
    walk.send(list, call()).await.done();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    refused(&walk, list, call()).await;
}

async fn refused(walk: &Walk, operation: &Operation, call: Call) {
    let seen = walk.send(operation, call).await;
    seen.refused(401, "unauthenticated");
    let challenge = seen.header("www-authenticate");
    assert!(challenge.starts_with("Bearer "), "{}: {challenge}", operation.id);
}
