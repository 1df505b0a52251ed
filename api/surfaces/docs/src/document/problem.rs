//! The schema of a problem, and what one looks like.

use bodega_kernel::{Code, Language, Versions, problem};
use serde_json::{Value, json};

use super::json::{id, reference, several, text, whole, word};

/// The id of a request, in examples.
pub(super) const REQUEST_ID: &str = "req_01k78agk00e008000000000001";

const PRINTABLE: &str = "^[!-~]+$";
const SNAKE: &str = "^[a-z_]+$";

/// It names what the caller sent, so that there may be anything in it, also a NUL.
const POINTER: &str = "^(/([^/~]|~[01])*)*$";

/// The schemas of a problem and of its parts, by name.
pub(super) fn schemas() -> [(String, Value); 2] {
    [("Problem".to_owned(), whole_problem()), ("ProblemError".to_owned(), error())]
}

fn whole_problem() -> Value {
    let names = |about: &str| several(word(PRINTABLE, 100, "Its name."), 1_000, about);
    let limit = json!({
        "description": "How many there may be, or, beside `max`, what there is too much of.",
        "anyOf": [whole(0, "How many."), word(SNAKE, 63, "What.")],
    });
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457). Decide on `code`; there may be more members.",
        "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
        "properties": {
            "type": word("^/problems/[a-z_]+$", 100, "The page about this kind of problem."),
            "title": text(100, "What it is called, in the language asked for."),
            "status": {
                "type": "integer", "format": "int32", "minimum": 400, "maximum": 599,
                "description": "The HTTP status.",
            },
            "detail": text(4_096, "This occurrence, in the language asked for."),
            "instance": text(16_384, "The path of the call."),
            "code": word(SNAKE, 64, "Its kind: what one means never changes, new ones may come."),
            "request_id": id("req", "The call's own id, as in `Request-Id`."),
            "errors": several(
                reference("ProblemError"),
                100,
                "Where in the request, and what is wrong there.",
            ),
            "scope": word(PRINTABLE, 100, "The scope that is missing."),
            "expected_prefix": word(SNAKE, 63, "What an id of the right type starts with."),
            "current_version": whole(1, "The version that the object has now."),
            "bytes_max": whole(0, "How large a body may be."),
            "limit": limit,
            "of": word(SNAKE, 63, "What the limit counts: `api_keys`, `webhook_endpoints`, …"),
            "from": word(SNAKE, 100, "The state that the object is in."),
            "to": word(SNAKE, 100, "The state that it cannot go to."),
            "allowed": names("The states that the object can go to from where it is."),
            "versions": names("The versions of the API."),
            "allowed_actions": names("The actions that the object's state allows."),
            "cost": whole(0, "How many units the call takes."),
            "max": whole(0, "How much of what `limit` names there may be."),
            "violated-policies": names("The limits that are used up."),
        },
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "description": "One thing that is wrong with a request.",
        "required": ["in", "pointer", "code", "detail"],
        "properties": {
            "in": {
                "type": "string", "enum": ["body", "query", "path", "header"],
                "description": "The part of the request.",
            },
            "pointer": word(POINTER, 4_096, "A JSON pointer (RFC 6901) into that part, or empty."),
            "code": word(SNAKE, 64, "What is wrong, as a word; new ones may come."),
            "detail": text(4_096, "What is wrong, in the language asked for."),
        },
    })
}

/// A problem as an answer would show it, for the examples. The path is that of any call: the same
/// example stands under many operations.
pub(super) fn sample(code: &'static Code, versions: &Versions) -> Value {
    let (problem, _) = problem::example(code, &versions.dates());
    problem.to_json(Language::English, "/v1/things", REQUEST_ID)
}
