//! Input that is not as the documentation asks: named exactly, refused at once, nothing written.

use std::time::Duration;

use bodega_tests::{Call, Db, both};
use serde_json::{Value, json};

use super::operations::Operation;
use super::seen::Seen;
use super::walker::{Ready, Walk};

both!(
    an_unknown_field_is_named,
    an_unknown_query_parameter_is_named,
    a_body_that_is_no_json_is_refused,
    a_body_of_the_wrong_shape_is_refused,
    headers_that_make_no_sense_are_refused,
);

/// Refusing takes no work to speak of, also in a slow build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1);

const BODY_BYTES_MAX: usize = 1024 * 1024;
const DEPTH_MAX: usize = 32;

async fn an_unknown_field_is_named(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.commands() {
        let tried = Tried::new(&walk, operation).await;
        let body = tried.ready.body.clone().unwrap_or_else(|| json!({}));
        let mut places = operation.closed_objects(&body);
        assert!(operation.body.is_none() || places.contains(&String::new()), "{}", operation.id);
        // What takes no body takes no member of one either.
        places.extend(operation.body.is_none().then(String::new));
        for at in places {
            let mut more = body.clone();
            more.pointer_mut(&at).expect("an object")["nope"] = json!(1);
            let seen = tried.send(|call| call.json(&more)).await;
            seen.invalid("body", &format!("{at}/nope"), "unknown_field");
        }
        let fields = operation.fields();
        let long = fields.iter().map(|(name, _)| *name).find(|name| name.len() >= 4);
        if let Some(name) = long {
            let mut typo = name.to_owned();
            typo.remove(2);
            let mut more = body.clone();
            more[&typo] = json!("x");
            let seen = tried.send(|call| call.json(&more)).await;
            let detail = seen.invalid("body", &format!("/{typo}"), "unknown_field");
            let meant = format!("did you mean `{name}`?");
            assert!(detail.contains(&meant), "{}: {typo}: {detail}", operation.id);
        }
        tried.wrote_nothing().await;
    }
}

async fn an_unknown_query_parameter_is_named(db: Db) {
    let walk = Walk::start(db).await;
    for operation in &walk.operations {
        let tried = Tried::new(&walk, operation).await;
        let pointer = "/nope";
        tried.query("nope=1").await.invalid("query", pointer, "unknown_parameter");
        tried.query("nope").await.invalid("query", pointer, "unknown_parameter");
        tried.query("nope%5Bgte%5D=1").await.invalid("query", "/nope[gte]", "unknown_parameter");
        if let Some(known) = operation.query().find(|one| one.name.len() >= 4) {
            let mut typo = known.name.clone();
            typo.remove(2);
            let seen = tried.query(&format!("{typo}=1")).await;
            let detail = seen.invalid("query", &format!("/{typo}"), "unknown_parameter");
            let meant = format!("did you mean `{}`?", known.name);
            assert!(detail.contains(&meant), "{}: {typo}: {detail}", operation.id);
            let twice = format!("{0}=1&{0}=1", known.name);
            tried.query(&twice).await.invalid("query", &format!("/{}", known.name), "duplicate");
        }
        let many = (0..101).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        tried.query(&many).await.invalid("query", "", "too_many");
        tried.query("nope=%FF").await.refused(400, "malformed_request");
        tried.wrote_nothing().await;
    }
}

async fn a_body_that_is_no_json_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.commands() {
        let tried = Tried::new(&walk, operation).await;
        let body = tried.ready.body.clone().unwrap_or_else(|| json!({"name": "x"}));
        let text = body.to_string();
        let (name, value) = body.as_object().and_then(|body| body.iter().next()).expect("a member");
        let twice = format!("{{\"{name}\":{value},{}", &text[1..]);
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let deeper = format!("{{\"{name}\":{}}}", deep(DEPTH_MAX));
        let mut latin1 = text.clone().into_bytes();
        latin1.splice(2..2, *b"\xf1");
        for bad in [
            twice.into_bytes(),
            deep(DEPTH_MAX + 1).into_bytes(),
            deeper.into_bytes(),
            deep(200_000).into_bytes(),
            latin1,
            text[..text.len() - 1].into(),
            format!("{text}{text}").into_bytes(),
            format!("{text},").into_bytes(),
            text.replace('"', "'").into_bytes(),
            b"{\"a\":1,}".into(),
            b"{\"a\":NaN}".into(),
            b"{\"a\":1e999}".into(),
            b"\xef\xbb\xbf{}".into(),
            b" ".into(),
            b"{}// no".into(),
        ] {
            let told = String::from_utf8_lossy(&bad[..bad.len().min(60)]).into_owned();
            let seen = tried.send(|call| call.bytes(bad)).await;
            assert_eq!(
                seen.body["code"],
                "malformed_json",
                "{}: {told}: {}",
                operation.id,
                seen.told()
            );
        }
        // A NUL is JSON, but no text that can be kept.
        let mut nul = body.clone();
        nul[name] = json!("a\0b");
        tried.send(|call| call.json(&nul)).await.refused(422, "validation_failed");
        tried.send(|call| call.json(&json!({"\0": 1}))).await.refused(422, "validation_failed");
        tried.wrote_nothing().await;
    }
}

async fn a_body_of_the_wrong_shape_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.commands() {
        let tried = Tried::new(&walk, operation).await;
        for wrong in [json!([]), json!(1), json!("x"), json!(true), json!([{}]), json!(-0.5)] {
            tried.send(|call| call.json(&wrong)).await.invalid("body", "", "type");
        }
        if operation.body.is_some() {
            tried.send(|call| call.json(&Value::Null)).await.invalid("body", "", "type");
            tried.send(|call| call).await.invalid("body", "", "required");
        }
        // Every field refuses what is of no type that it takes.
        for (field, _) in operation.fields() {
            let mut body = tried.ready.body.clone().expect("a body");
            body[field] = json!([[{"nope": 0.5}]]);
            let problem =
                tried.send(|call| call.json(&body)).await.refused(422, "validation_failed");
            let pointer = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
            let at = format!("/{field}");
            assert!(pointer.starts_with(&at), "{}: {field}: {problem}", operation.id);
        }
        tried.wrote_nothing().await;
    }
}

async fn headers_that_make_no_sense_are_refused(db: Db) {
    let walk = Walk::start(db).await;
    for operation in &walk.operations {
        let tried = Tried::new(&walk, operation).await;
        let with =
            async |name: &str, value: &str| tried.send_ready(|call| call.header(name, value)).await;
        for accept in
            ["text/html", "text/html, image/*;q=0.9", "application/json;q=0", "application/xml"]
        {
            with("Accept", accept).await.refused(406, "not_acceptable");
        }
        with("Bodega-Version", "1999-01-01").await.refused(422, "unknown_version");
        with("Bodega-Version", "latest").await.refused(422, "unknown_version");
        if operation.parameter("Idempotency-Key").is_some() {
            let long = "k".repeat(256);
            for bad in ["", "\"\"", " ", &long, "ñandú"] {
                with("Idempotency-Key", bad).await.refused(422, "validation_failed");
            }
        }
        if operation.parameter("If-Match").is_some() {
            for bad in ["x", "\"x\"", "\"1\", \"2\"", "-1", "\"99999999999999999999\"", "ñ"] {
                with("If-Match", bad).await.refused(422, "validation_failed");
            }
        }
        if operation.is_command() {
            let body = tried.ready.body.clone().unwrap_or_else(|| json!({}));
            let body = body.to_string().into_bytes();
            let raw = async |kind: Option<&str>, encoding: Option<&str>| {
                let kinds = kind.into_iter().map(|kind| ("Content-Type", kind));
                let all: Vec<_> =
                    kinds.chain(encoding.map(|how| ("Content-Encoding", how))).collect();
                let body = body.clone();
                tried
                    .send(|call| all.iter().fold(call.raw(body), |call, (n, v)| call.header(n, v)))
                    .await
            };
            for kind in [
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
                "",
                "application/json; charset=latin1",
                "application/jsonx",
            ] {
                raw(Some(kind), None).await.refused(415, "unsupported_media_type");
            }
            raw(None, None).await.refused(415, "unsupported_media_type");
            raw(Some("application/json"), Some("gzip"))
                .await
                .refused(415, "unsupported_media_type");
            let large = vec![b' '; BODY_BYTES_MAX + 1];
            tried.send(|call| call.bytes(large)).await.refused(413, "payload_too_large");
        }
        tried.wrote_nothing().await;
    }
}

/// A call that would succeed, tried with something wrong in it.
struct Tried<'a> {
    walk: &'a Walk,
    ready: Ready<'a>,
    rows: super::walker::Rows,
}

impl<'a> Tried<'a> {
    async fn new(walk: &'a Walk, operation: &'a Operation) -> Self {
        let ready = walk.ready(operation).await;
        Self { walk, ready, rows: walk.rows().await }
    }

    /// Sends it without its own body.
    async fn send(&self, with: impl FnOnce(Call) -> Call) -> Seen {
        let mut ready = self.ready.clone();
        ready.body = None;
        self.timed(with(self.walk.call(&ready))).await
    }

    /// Sends it with its own body.
    async fn send_ready(&self, with: impl FnOnce(Call) -> Call) -> Seen {
        self.timed(with(self.walk.call(&self.ready))).await
    }

    /// Sends it with this query string.
    async fn query(&self, query: &str) -> Seen {
        let mut ready = self.ready.clone();
        ready.path.push_str(&format!("?{query}"));
        self.timed(self.walk.call(&ready)).await
    }

    async fn timed(&self, call: Call) -> Seen {
        let operation = self.ready.operation;
        let seen = self.walk.send(operation, call).await;
        assert!(seen.took < PATIENCE, "{}: {:?} for {}", operation.id, seen.took, seen.told());
        seen
    }

    async fn wrote_nothing(&self) {
        assert_eq!(
            self.walk.rows().await,
            self.rows,
            "{}: wrote something",
            self.ready.operation.id
        );
    }
}
