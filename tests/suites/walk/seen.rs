//! An answer, held against what the document says of the operation.

use std::ops::Deref;
use std::time::Duration;

use bodega_tests::Answer;
use serde_json::Value;

use super::operations::Operation;

/// On every answer, whatever became of the call.
const ALWAYS: &[&str] =
    &["request-id", "traceparent", "x-content-type-options", "cache-control", "vary"];

/// On the answer to whoever is known.
const TO_KNOWN: &[&str] = &["ratelimit", "ratelimit-policy", "bodega-version"];

/// Codes of calls that never got as far as the limits.
const UNKNOWN: &[&str] = &["unauthenticated", "address_not_allowed", "origin_not_allowed"];

/// An answer that says nothing the document does not.
#[derive(Debug)]
pub struct Seen {
    /// How long it took.
    pub took: Duration,
    answer: Answer,
    operation: String,
    success: u16,
}

impl Deref for Seen {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

impl Seen {
    /// Holds an answer against the document.
    #[track_caller]
    pub fn new(operation: &Operation, answer: Answer, took: Duration) -> Self {
        let id = &operation.id;
        let told = String::from_utf8_lossy(&answer.bytes);
        observe(operation, answer.status, &answer.body);
        for name in ALWAYS {
            assert!(!answer.header(name).is_empty(), "{id}: no {name}: {told}");
        }
        let code = answer.body["code"].as_str().filter(|_| answer.status >= 400);
        let known = code.is_none_or(|code| !UNKNOWN.contains(&code));
        for name in TO_KNOWN.iter().filter(|_| known) {
            assert!(!answer.header(name).is_empty(), "{id}: no {name}: {told}");
        }
        let kind = match (answer.status, code) {
            (304, _) => "",
            (_, Some(_)) => "application/problem+json",
            _ => "application/json",
        };
        assert_eq!(answer.header("content-type"), kind, "{id}: {told}");
        let replayed = answer.header("idempotent-replayed") == "true";
        if code.is_some() && !replayed {
            let request_id = answer.header("request-id");
            assert_eq!(answer.body["request_id"], request_id, "{id}: {told}");
            assert!(!answer.header("content-language").is_empty(), "{id}: no language: {told}");
        }
        Self { took, answer, operation: operation.id.clone(), success: operation.success() }
    }

    /// The body, if the call succeeded.
    #[track_caller]
    pub fn done(&self) -> Value {
        assert_eq!(self.status, self.success, "{}: {}", self.operation, self.told());
        self.body.clone()
    }

    /// The problem, if it is this one.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let wanted = (u64::from(status), code);
        let given = (u64::from(self.status), self.body["code"].as_str().unwrap_or_default());
        assert_eq!(given, wanted, "{}: {}", self.operation, self.told());
        self.body.clone()
    }

    /// The problem, if it is that the request is not valid, for this reason and there.
    #[track_caller]
    pub fn invalid(&self, place: &str, pointer: &str, code: &str) -> String {
        let problem = self.refused(422, "validation_failed");
        let errors = problem["errors"].as_array().into_iter().flatten();
        let mut same = errors.filter(|error| {
            error["in"] == place && error["pointer"] == pointer && error["code"] == code
        });
        let id = &self.operation;
        let error = same.next().unwrap_or_else(|| {
            panic!("{id}: no error {code} at {place} {pointer}: {}", self.told())
        });
        error["detail"].as_str().unwrap_or_default().to_owned()
    }

    /// The body as it came, for messages.
    pub fn told(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

/// Fails unless the document says that the operation may answer so.
#[track_caller]
pub fn observe(operation: &Operation, status: u16, body: &Value) {
    let id = &operation.id;
    assert!(status < 500, "{id}: {status} {body}");
    assert!(operation.statuses.contains(&status), "{id}: {status} is not documented: {body}");
    if status < 400 {
        return;
    }
    let code = body["code"].as_str().unwrap_or_else(|| panic!("{id}: no code: {body}"));
    assert!(operation.problems.contains(code), "{id}: {code} is not documented: {body}");
    assert_eq!(body["status"], status, "{id}: {body}");
    assert_eq!(body["type"], format!("/problems/{code}"), "{id}: {body}");
    for member in ["title", "detail", "instance", "request_id"] {
        assert!(body[member].is_string(), "{id}: no {member}: {body}");
    }
}
