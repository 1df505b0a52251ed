//! Clients that change things all the time, and remember what they were answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bodega_tests::{Answer, Api, Server};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use crate::ledger;

const CLIENTS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(45);

/// What came of it so far.
#[derive(Default)]
struct Seen {
    /// The last version of each brand that an answer told of.
    acknowledged: HashMap<String, i64>,
    changes: usize,
    refused: BTreeMap<String, usize>,
    /// What may never be answered.
    wrong: Vec<String>,
}

pub struct Load {
    seen: Arc<Mutex<Seen>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn start(server: &Server) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let clients = (0..CLIENTS)
            .map(|number| tokio::spawn(client(number, server.api(), seen.clone())))
            .collect();
        Self { seen, clients }
    }

    /// How many calls were refused.
    pub fn refused(&self) -> usize {
        self.seen.lock().expect("what was seen").refused.values().sum()
    }

    fn changes(&self) -> usize {
        self.seen.lock().expect("what was seen").changes
    }

    /// Goes on until so many more changes were answered.
    pub async fn until_more(&self, changes: usize) {
        let before = self.changes();
        self.until(|load| load.changes() >= before + changes, "changes go on").await;
    }

    /// Goes on until so many more calls were refused in this way; in any, where the code is empty.
    pub async fn until_refused(&self, calls: usize, code: &str) {
        let count = |load: &Self| {
            let seen = load.seen.lock().expect("what was seen");
            let with = seen.refused.iter().filter(|(known, _)| known.contains(code));
            with.map(|(_, count)| count).sum::<usize>()
        };
        let before = count(self);
        self.until(|load| count(load) >= before + calls, "calls are refused").await;
    }

    async fn until(&self, done: impl Fn(&Self) -> bool, what: &str) {
        let began = Instant::now();
        while !done(self) {
            let refused = self.seen.lock().expect("what was seen").refused.clone();
            assert!(began.elapsed() < PATIENCE, "not so: {what}; {refused:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the server, ends the fault, starts it again, and looks for all that was answered.
    pub async fn end(self, server: Server, mend: impl AsyncFnOnce()) {
        // Under load, so that what is on its way is lost.
        let mut server = server;
        self.clients.iter().for_each(JoinHandle::abort);
        server.kill().await;
        for client in self.clients {
            let _ = client.await;
        }
        mend().await;
        let server = server.another().await;
        let seen = std::mem::take(&mut *self.seen.lock().expect("what was seen"));
        let (there, wrong) = (brands(&server).await, &seen.wrong);
        let missing: Vec<_> = seen
            .acknowledged
            .iter()
            .filter(|(id, version)| there.get(*id).is_none_or(|now| now < *version))
            .collect();
        println!(
            "{} changes answered, {} brands; refused {:?}; acknowledged and missing: {}",
            seen.changes,
            seen.acknowledged.len(),
            seen.refused,
            missing.len()
        );
        assert!(missing.is_empty(), "acknowledged and missing: {missing:?}");
        assert!(wrong.is_empty(), "{} wrong answers: {:?}", wrong.len(), wrong.first());
        ledger::check(&server).await;
        numbered(&server).await;
        let doctor = server.cli(&["doctor"]).await;
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(doctor.status.success(), "{said}{}", String::from_utf8_lossy(&doctor.stderr));
    }
}

/// What is there, with its version.
async fn brands(server: &Server) -> HashMap<String, i64> {
    let rows = ledger::rows::<(Uuid, i64)>(server, "SELECT id, version FROM brand").await;
    rows.into_iter().map(|(id, version)| (ledger::id_of("brand", id), version)).collect()
}

/// Every event is numbered at last, without a gap.
async fn numbered(server: &Server) {
    let began = Instant::now();
    while server.number("SELECT COUNT(*) FROM event WHERE sequence IS NULL").await > 0 {
        assert!(began.elapsed() < PATIENCE, "events are not numbered");
        sleep(Duration::from_millis(100)).await;
    }
    let gaps = "SELECT COUNT(*) FROM (SELECT organization_id FROM event GROUP BY organization_id \
                HAVING COUNT(*) <> MAX(sequence)) AS gaps";
    assert_eq!(server.number(gaps).await, 0, "organizations with gaps");
}

/// Makes brands and changes them, alone and in batches, until it is ended.
async fn client(number: usize, api: Api, seen: Arc<Mutex<Seen>>) {
    let mut own: Option<String> = None;
    let padding = "x".repeat(1_500);
    for step in 0_u64.. {
        let name = format!("Load {number}-{step}");
        let body = json!({ "name": name, "description": padding });
        let create = |name: &str| {
            json!({ "method": "POST", "path": "/v1/brands",
            "body": { "name": name, "description": padding } })
        };
        let call = match (step % 4, &own) {
            (1, Some(id)) => api
                .call("PATCH", &format!("/v1/brands/{id}"))
                .json(&json!({ "description": format!("{step}{}", "y".repeat(1_000)) })),
            (2, _) => api.call("POST", "/v1/batch").json(&json!({
                "atomic": true,
                "operations": [create(&format!("{name}-a")), create(&format!("{name}-b"))],
            })),
            (3, _) => api.call("POST", "/v1/batch").json(&json!({
                "operations": [create(&format!("{name}-c")), create(&format!("{name}-d"))],
            })),
            _ => api.call("POST", "/v1/brands").json(&body),
        };
        match call.try_send().await {
            Ok(answer) => own = note(&seen, answer).or(own),
            Err(error) => {
                let mut seen = seen.lock().expect("what was seen");
                seen.wrong.push(format!("no answer: {error:?}"));
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Writes down what was answered; gives a brand that was made.
fn note(seen: &Mutex<Seen>, answer: Answer) -> Option<String> {
    let mut seen = seen.lock().expect("what was seen");
    let retry = answer.header("retry-after").to_owned();
    match answer.body["results"].as_array() {
        Some(results) if answer.status == 200 => {
            for result in results {
                let status = result["status"].as_u64().unwrap_or_default();
                note_one(&mut seen, status, &result["body"]);
            }
            None
        }
        _ => {
            if answer.status >= 500 && retry.is_empty() {
                seen.wrong.push(format!("{} without Retry-After", answer.status));
            }
            note_one(&mut seen, answer.status.into(), &answer.body)
        }
    }
}

fn note_one(seen: &mut Seen, status: u64, body: &Value) -> Option<String> {
    let code = body["code"].as_str().unwrap_or_default();
    match (status, code) {
        (200 | 201, _) => {
            let id = body["id"].as_str().expect("an id").to_owned();
            let version = body["version"].as_i64().expect("a version");
            let known = seen.acknowledged.entry(id.clone()).or_insert(version);
            *known = Ord::max(*known, version);
            seen.changes += 1;
            return Some(id);
        }
        (507, "storage_full") | (503, "database_unavailable" | "busy") | (424, _) => {
            *seen.refused.entry(format!("{status} {code}")).or_default() += 1;
        }
        _ => seen.wrong.push(format!("{status} {body}")),
    }
    None
}
