//! Every change of a key by every lesser key; sandboxes; founding; long headers.

use std::collections::BTreeMap;

use bodega_graphql::names::{camel, pascal, upper};
use bodega_tests::{Answer, Db, Server, both};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::graphql::graph::send;
use crate::walk::walker::Walk;

both!(
    no_key_gives_what_it_does_not_have,
    an_ended_key_stays_ended,
    a_line_of_keys_has_an_end,
    a_sandbox_key_touches_nothing_live,
    an_organization_has_its_own_log_from_the_start,
    long_headers_leave_short_rows,
);

const LATER: &str = "2999-06-01T00:00:00Z";
const SOONER: &str = "2999-05-01T00:00:00Z";

/// A key that is shown once.
struct Made {
    id: String,
    secret: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

fn made(body: &Value) -> Made {
    Made { id: text(&body["id"]), secret: text(&body["secret"]) }
}

async fn make(server: &Server, body: &Value) -> Made {
    made(&server.call("POST", "/v1/api_keys").json(body).send().await.expect(201))
}

/// All rights of these tests: each of them restricts, so that each can be had or not.
fn rights() -> Value {
    json!({
        "name": "Strong", "plan": "plus", "expires_at": LATER,
        "scopes": ["keys:read", "keys:write", "catalog:read", "catalog:write"],
        "allowed_ips": ["127.0.0.0/8", "10.0.0.0/8"],
        "allowed_origins": ["https://a.example", "https://b.example"],
    })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

/// One right less, in each way that there is: its field, and what is left.
fn lesser() -> Vec<(&'static str, Value)> {
    vec![
        ("scopes", json!(["keys:read", "keys:write", "catalog:read"])),
        ("plan", json!("standard")),
        ("expires_at", json!(SOONER)),
        ("allowed_ips", json!(["127.0.0.0/8"])),
        ("allowed_origins", json!(["https://a.example"])),
    ]
}

/// What goes beyond each lesser right.
fn beyond(field: &str) -> Vec<(&'static str, Value)> {
    let field = match field {
        "scopes" => "scopes",
        "plan" => "plan",
        "expires_at" => "expires_at",
        "allowed_ips" => "allowed_ips",
        _ => "allowed_origins",
    };
    let values = match field {
        "scopes" => vec![json!(["catalog:write"]), json!(["keys:read", "organizations:create"])],
        "plan" => vec![json!("plus"), json!("scale")],
        "expires_at" => vec![Value::Null, json!(LATER), json!("2999-05-01T00:00:00.000001Z")],
        "allowed_ips" => vec![
            json!([]),
            json!(["127.0.0.0/7"]),
            json!(["127.0.0.1", "10.0.0.1"]),
            json!(["0.0.0.0/0"]),
            json!(["::/0"]),
            json!(["::ffff:a00:1"]),
            json!(["::ffff:0:0/96"]),
        ],
        _ => vec![
            json!([]),
            json!(["https://b.example"]),
            json!(["https://a.example", "https://b.example"]),
            json!(["http://a.example"]),
            json!(["https://a.example:8443"]),
        ],
    };
    values.into_iter().map(|value| (field, value)).collect()
}

/// A change that is tried: an operation, an object and a body.
#[derive(Clone, Debug)]
struct Try {
    operation: &'static str,
    id: String,
    body: Value,
}

impl Try {
    fn new(operation: &'static str, id: &str, body: Value) -> Self {
        Self { operation, id: id.to_owned(), body }
    }

    fn rest(&self) -> (&'static str, String) {
        match self.operation {
            "create" => ("POST", "/v1/api_keys".to_owned()),
            "update" => ("PATCH", format!("/v1/api_keys/{}", self.id)),
            action => ("POST", format!("/v1/api_keys/{}/{action}", self.id)),
        }
    }

    /// By every door: the status and the code of each.
    async fn by_all_doors(&self, server: &Server, key: &str) -> Vec<(&'static str, u64, Value)> {
        let (method, path) = self.rest();
        let seen = |answer: Answer| (u64::from(answer.status), answer.body);
        let (status, problem) =
            seen(server.call_as(key, method, &path).json(&self.body).send().await);
        let mut all = vec![("rest", status, problem)];
        let line = json!({"method": method, "path": path, "body": self.body});
        for atomic in [false, true] {
            let body = json!({"atomic": atomic, "operations": [line]});
            let done = server.call_as(key, "POST", "/v1/batch").json(&body).send().await;
            let result = done.expect(200)["results"][0].clone();
            let status = result["status"].as_u64().expect("a status");
            all.push(("batch", status, result["body"].clone()));
        }
        let kind = pascal(self.operation);
        let shown = if self.operation == "update" { "id" } else { "secret" };
        let query = format!(
            "mutation($input: ApiKey{kind}Input!) {{ apiKey{kind}(input: $input) {{ {shown} }} }}"
        );
        let answer = send(server, key, &query, &json!({"input": self.input()})).await;
        let problem = answer.body["errors"][0]["extensions"].clone();
        let status = problem["status"].as_u64().unwrap_or(u64::from(answer.status));
        all.push(("graphql", status, problem));
        all
    }

    /// What GraphQL takes for the same.
    fn input(&self) -> Value {
        let said = |(name, value): (&String, &Value)| match (name.as_str(), value) {
            ("plan" | "preset", Value::String(choice)) => (camel(name), upper(choice).into()),
            _ => (camel(name), value.clone()),
        };
        let mut input: serde_json::Map<_, _> =
            self.body.as_object().expect("a body").iter().map(said).collect();
        if self.operation != "create" {
            input.insert("id".to_owned(), json!(self.id));
        }
        input.into()
    }

    /// Refused by every door, and nothing is otherwise than before.
    async fn is_refused(&self, server: &Server, key: &str, status: u64, codes: &[&str]) {
        let before = keys(server).await;
        for (door, seen, problem) in self.by_all_doors(server, key).await {
            assert_eq!(seen, status, "{door}: {self:?}: {problem}");
            let code = problem["code"].as_str().unwrap_or_default();
            assert!(codes.contains(&code), "{door}: {self:?}: {problem}");
            if status == 403 {
                let errors = problem["errors"].as_array().map(Vec::len);
                assert_eq!(errors, Some(1), "{door} says where: {self:?}: {problem}");
            }
        }
        assert_eq!(keys(server).await, before, "{self:?} changed something");
    }
}

/// Every key as it is stored, but for when it was last used.
async fn keys(server: &Server) -> BTreeMap<String, String> {
    let connection = server.database().await;
    let sql = "SELECT CAST(id AS TEXT) AS id, CAST(version AS TEXT) || ' ' || scopes || ' ' || plan \
               || ' ' || allowed_ips || ' ' || allowed_origins || ' ' \
               || COALESCE(CAST(expires_at AS TEXT), '') || ' ' \
               || COALESCE(CAST(revoked_at AS TEXT), '') AS rights FROM api_key";
    let sql = match server.backend() {
        sea_orm::DbBackend::Postgres => sql.to_owned(),
        _ => sql.replace("CAST(id AS TEXT)", "hex(id)"),
    };
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("the keys");
    let text =
        |row: &sea_orm::QueryResult, name: &str| row.try_get::<String>("", name).expect(name);
    rows.iter().map(|row| (text(row, "id"), text(row, "rights"))).collect()
}

async fn no_key_gives_what_it_does_not_have(db: Db) {
    let server = Server::start(db).await;
    let strong = make(&server, &rights()).await;
    let codes = &["insufficient_scope", "beyond_own_rights"];
    for (field, left) in lesser() {
        let own = with(rights(), field, left);
        let weak = make(&server, &with(own.clone(), "name", json!(field))).await;
        let equal = make(&server, &own).await;
        let mut tries = vec![Try::new("rotate", &strong.id, json!({}))];
        // A stronger key is not changed at all, not even in what the caller has.
        let harmless = json!({"name": "Mine", "external_id": "mine", "metadata": {"a": "b"}});
        let one_by_one = harmless.as_object().expect("fields").iter();
        for (name, value) in one_by_one.chain(own.as_object().expect("fields")) {
            tries.push(Try::new("update", &strong.id, with(json!({}), name, value.clone())));
        }
        for (wide, value) in beyond(field) {
            tries.push(Try::new("create", "", with(own.clone(), wide, value.clone())));
            for id in [&weak.id, &equal.id] {
                tries.push(Try::new("update", id, with(json!({}), wide, value.clone())));
            }
        }
        if field == "scopes" {
            for preset in ["write", "admin"] {
                tries.push(Try::new("create", "", with(own.clone(), "preset", json!(preset))));
            }
        }
        let mut bare = own.clone();
        if ["expires_at", "allowed_ips", "allowed_origins"].contains(&field) {
            bare.as_object_mut().expect("fields").remove(field);
            tries.push(Try::new("create", "", bare));
        }
        for one in &tries {
            one.is_refused(&server, &weak.secret, 403, codes).await;
        }
        println!("{db:?}: {} changes refused to a key with less {field}", tries.len());

        // What it has it may give, to itself and to others; and anybody's rights may be ended.
        let call = |method, path: &str| server.call_as(&weak.secret, method, path);
        let child = call("POST", "/v1/api_keys").json(&own).send().await.expect(201);
        assert_eq!(child["created_by_id"], weak.id);
        let path = format!("/v1/api_keys/{}", equal.id);
        let less = json!({"name": "Less", "allowed_ips": ["127.0.0.1"], "plan": "trial"});
        call("PATCH", &path).json(&less).send().await.expect(200);
        let next = call("POST", &format!("{path}/rotate")).json(&json!({})).send().await;
        assert_eq!(next.expect(200)["created_by_id"], weak.id);
        let victim = make(&server, &rights()).await;
        call("POST", &format!("/v1/api_keys/{}/revoke", victim.id)).send().await.expect(200);
    }
}

async fn an_ended_key_stays_ended(db: Db) {
    let server = Server::start(db).await;
    let boss = make(&server, &rights()).await;
    let small = json!({"name": "Small", "scopes": ["catalog:read"], "plan": "trial",
        "allowed_ips": ["127.0.0.1"], "allowed_origins": ["https://a.example"],
        "expires_at": SOONER});
    let act = async |id: &str, verb: &str, body: Value| {
        server
            .call("POST", &format!("/v1/api_keys/{id}/{verb}"))
            .json(&body)
            .send()
            .await
            .expect(200)
    };
    let [revoked, rotated, replaced, expired] = [
        make(&server, &small).await,
        make(&server, &small).await,
        make(&server, &small).await,
        make(&server, &with(small.clone(), "expires_at", json!("2020-01-01T00:00:00Z"))).await,
    ];
    server.call("POST", &format!("/v1/api_keys/{}/revoke", revoked.id)).send().await.expect(200);
    let heir = act(&rotated.id, "rotate", json!({"overlap_seconds": 600})).await;
    let shown =
        server.call("GET", &format!("/v1/api_keys/{}", rotated.id)).send().await.expect(200);
    assert_eq!(shown["rotated_to_id"], heir["id"]);
    act(&replaced.id, "rotate", json!({})).await;
    // Neither by one that may give all of it, nor by one that may give everything.
    for key in [&boss.secret, &server.live_key] {
        for id in [&revoked.id, &rotated.id, &replaced.id, &expired.id] {
            let codes = &["invalid_transition"];
            for (field, value) in [
                ("expires_at", Value::Null),
                ("expires_at", json!(SOONER)),
                ("allowed_ips", json!(["127.0.0.1", "10.0.0.1"])),
                ("scopes", json!(["catalog:read", "keys:write"])),
                ("name", json!("Again")),
            ] {
                let body = with(json!({}), field, value);
                Try::new("update", id, body).is_refused(&server, key, 409, codes).await;
            }
            let again = Try::new("rotate", id, json!({"overlap_seconds": 600}));
            again.is_refused(&server, key, 409, codes).await;
        }
    }
    // The old key goes on as long as it was told, and can be ended before.
    let old = server.call_as(&rotated.secret, "GET", "/v1/brands?limit=1").send().await;
    old.expect(200);
    server.call("POST", &format!("/v1/api_keys/{}/revoke", rotated.id)).send().await.expect(200);
}

async fn a_line_of_keys_has_an_end(db: Db) {
    let server = Server::start(db).await;
    let body =
        json!({"name": "Line", "scopes": ["keys:write", "catalog:read"], "plan": "standard"});
    let mut key = server.live_key.clone();
    let mut made = 0;
    let end = loop {
        let answer = server.call_as(&key, "POST", "/v1/api_keys").json(&body).send().await;
        if answer.status != 201 {
            break answer.expect_problem(409, "limit_reached");
        }
        key = text(&answer.body["secret"]);
        made += 1;
        assert!(made < 20, "a line without an end");
    };
    assert_eq!((end["limit"].as_u64(), end["of"].as_str()), (Some(made), Some("generations")));
}

/// How much each table has of an organization, and the newest of what is counted up.
async fn rows_of(server: &Server, mode: &str) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    let tables = [
        "api_key",
        "audit_entry",
        "brand",
        "category",
        "collection",
        "event",
        "price",
        "idempotency_record",
        "product",
        "product_category",
        "trusted_document",
        "variant",
        "webhook_delivery",
        "webhook_endpoint",
        "webhook_health",
    ];
    for table in tables {
        let of = format!("organization_id IN (SELECT id FROM organization WHERE mode = '{mode}')");
        let count = format!("SELECT COUNT(*) FROM {table} WHERE {of}");
        rows.insert(table.to_owned(), server.number(&count).await);
    }
    let count = format!("SELECT COUNT(*) FROM organization WHERE mode = '{mode}'");
    rows.insert("organization".to_owned(), server.number(&count).await);
    let sum =
        format!("SELECT CAST(SUM(version) AS BIGINT) FROM organization WHERE mode = '{mode}'");
    rows.insert("versions".to_owned(), server.number(&sum).await);
    rows
}

async fn a_sandbox_key_touches_nothing_live(db: Db) {
    let walk = Walk::start(db).await;
    let (server, test) = (&walk.server, walk.server.test_key.clone());
    let found = json!({"name": "Mine"});
    let live = rows_of(server, "live").await;
    let sandbox = rows_of(server, "test").await;

    let key = json!({"name": "Founder", "scopes": ["organizations:create"], "preset": "admin"});
    let child = server.call_as(&test, "POST", "/v1/api_keys").json(&key).send().await.expect(201);
    for key in [test.as_str(), child["secret"].as_str().expect("a secret")] {
        let refused = server.call_as(key, "POST", "/v1/organizations").json(&found).send().await;
        refused.expect_problem(403, "live_only");
        for atomic in [false, true] {
            let line = json!({"method": "POST", "path": "/v1/organizations", "body": found});
            let body = json!({"atomic": atomic, "operations": [line]});
            let done =
                server.call_as(key, "POST", "/v1/batch").json(&body).send().await.expect(200);
            assert_eq!(done["results"][0]["body"]["code"], "live_only", "{done}");
        }
        let query =
            "mutation { organizationCreate(input: {name: \"Mine\"}) { organization { id } } }";
        let answer = send(server, key, query, &json!({})).await;
        assert_eq!(answer.body["errors"][0]["extensions"]["code"], "live_only", "{}", answer.body);
        let call = server.call_as(key, "POST", "/v1/organizations").json(&found);
        // What one key was answered is not told to another.
        let own = format!("mine {}", &key[key.len() - 4..]);
        call.header("Idempotency-Key", &own).send().await.expect_problem(403, "live_only");
    }
    // The same name of a call is another call here.
    let call = server.call("POST", "/v1/brands").json(&json!({"name": "Live"}));
    let brand = call.header("Idempotency-Key", "both").send().await.expect(201);
    let live = {
        let mut rows = live;
        for table in ["brand", "event", "audit_entry", "idempotency_record"] {
            *rows.get_mut(table).expect("a table") += 1;
        }
        rows
    };
    let call = server.call_as(&test, "POST", "/v1/brands").json(&json!({"name": "Live"}));
    let own = call.header("Idempotency-Key", "both").send().await.expect(201);
    assert_ne!(own["id"], brand["id"]);

    // Everything there is to do, done in the sandbox.
    let mut done = 0;
    for operation in walk.commands().filter(|one| one.id != "organization.create") {
        let ready = walk.ready_as(&test, operation).await;
        walk.send(operation, walk.call_as(&test, &ready)).await.done();
        done += 1;
    }
    assert!(done > 30, "{done} operations");
    assert_eq!(rows_of(server, "live").await, live, "the sandbox's key changed what is live");
    assert_ne!(rows_of(server, "test").await, sandbox);
    let organizations = server.call_as(&test, "GET", "/v1/organizations").send().await.expect(200);
    assert_eq!(organizations["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(organizations["data"][0]["mode"], "test");
}

async fn an_organization_has_its_own_log_from_the_start(db: Db) {
    let server = Server::start(db).await;
    let before = server.call("GET", "/v1/events?limit=1").send().await.expect(200);
    let call = server.call("POST", "/v1/organizations").json(&json!({"name": "Casa Norte"}));
    let answer = call.header("User-Agent", "founder/1").send().await;
    let request = answer.header("request-id").to_owned();
    let founded = answer.expect(201);
    let after = server.call("GET", "/v1/events?limit=1").send().await.expect(200);
    assert_eq!(after["data"][0]["id"], before["data"][0]["id"], "the founder's log tells of it");

    for (owner, key, name) in
        [("organization", "live_key", "First key"), ("sandbox", "test_key", "First sandbox key")]
    {
        let secret = text(&founded[key]["secret"]);
        let events = server.call_as(&secret, "GET", "/v1/events").send().await.expect(200);
        let events = events["data"].as_array().expect("events").clone();
        let mut told: Vec<_> = events.iter().map(|event| text(&event["type"])).collect();
        told.sort();
        assert_eq!(told, ["api_key.created", "organization.created"], "{owner}");
        for event in &events {
            let id = if event["object_type"] == "api_key" {
                &founded[key]["id"]
            } else {
                &founded[owner]["id"]
            };
            assert_eq!(event["object_id"], *id);
            assert_eq!(
                (&event["actor_type"], &event["actor_id"]),
                (&json!("system"), &Value::Null)
            );
        }
        let entries = server.call_as(&secret, "GET", "/v1/audit_log").send().await.expect(200);
        let entries = entries["data"].as_array().expect("entries").clone();
        assert_eq!(entries.len(), 2, "{owner}");
        for entry in &entries {
            assert_ne!(entry["request_id"], request, "{owner} knows of the founder's call");
            assert_eq!(entry["request_id"], entries[0]["request_id"]);
            assert_eq!(
                (&entry["ip"], &entry["user_agent"]),
                (&Value::Null, &Value::Null),
                "{entry}"
            );
        }
        assert!(entries.iter().any(|entry| entry["after"]["name"] == name), "{entries:?}");
    }
    // The founder's own trail says what was made, not what is in it.
    let trail = server.call("GET", "/v1/audit_log?limit=10").send().await.expect(200);
    let own: Vec<_> = trail["data"]
        .as_array()
        .expect("entries")
        .iter()
        .filter(|entry| entry["request_id"] == request)
        .collect();
    assert_eq!(own.len(), 4);
    for entry in own {
        assert_eq!(entry["after"], json!({"id": entry["object_id"]}));
        assert_eq!(
            (&entry["user_agent"], &entry["operation"]),
            (&json!("founder/1"), &json!("organization.create"))
        );
    }
}

async fn long_headers_leave_short_rows(db: Db) {
    let server = Server::start(db).await;
    let long = "x".repeat(30_000);
    let lines: Vec<_> = (0..100)
        .map(
            |i| json!({"method": "POST", "path": "/v1/brands", "body": {"name": format!("B {i}")}}),
        )
        .collect();
    for atomic in [false, true] {
        let body = json!({"atomic": atomic, "operations": lines});
        let call = server.call("POST", "/v1/batch").json(&body);
        let call = call.header("User-Agent", &long).header("traceparent", &long);
        let answer =
            call.header("Accept-Language", "es").header("X-Forwarded-For", &long).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let call = server.call("POST", "/v1/brands").json(&json!({"name": "Bad"}));
    let call = call.header("Idempotency-Key", &long).header("Bodega-Version", &long);
    assert!(matches!(call.send().await.status, 400 | 422 | 431));
    let path = format!("/v1/brands/{}", "x".repeat(10_000));
    assert!(server.call("GET", &path).send().await.status >= 400);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    for (column, table, max) in [
        ("user_agent", "audit_entry", 500),
        ("traceparent", "audit_entry", 55),
        ("ip", "audit_entry", 45),
        ("traceparent", "event", 55),
        ("user_agent", "request_log", 500),
        ("path", "request_log", 2_048),
        ("idempotency_key", "request_log", 1_020),
        ("api_version", "request_log", 10),
    ] {
        let sql = format!("SELECT CAST(COALESCE(MAX(LENGTH({column})), 0) AS BIGINT) FROM {table}");
        let longest = server.number(&sql).await;
        assert!(longest <= max, "{table}.{column}: {longest} letters");
    }
}
