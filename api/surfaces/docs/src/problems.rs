//! Which problems an operation can have.

use bodega_contract::{FilterKind, Kind, Method, Operation};
use bodega_kernel::{Code, problem};

/// Of any call: before the corridor, on its way through it, or when the machine is in trouble.
const OF_ALL: &[&Code] = &[
    &problem::MALFORMED_REQUEST,
    &problem::UNAUTHENTICATED,
    &problem::INSUFFICIENT_SCOPE,
    &problem::ADDRESS_NOT_ALLOWED,
    &problem::ORIGIN_NOT_ALLOWED,
    &problem::NOT_ACCEPTABLE,
    &problem::URI_TOO_LONG,
    &problem::VALIDATION_FAILED,
    &problem::UNKNOWN_VERSION,
    &problem::QUOTA_EXCEEDED,
    &problem::HEADERS_TOO_LARGE,
    &problem::INTERNAL_ERROR,
    &problem::BUSY,
    &problem::DATABASE_UNAVAILABLE,
    &problem::STORAGE_FULL,
];

/// Of a call that can be sent a body, also an action that takes none.
const OF_BODIES: &[&Code] = &[
    &problem::MALFORMED_JSON,
    &problem::REQUEST_TIMEOUT,
    &problem::PAYLOAD_TOO_LARGE,
    &problem::UNSUPPORTED_MEDIA_TYPE,
];

/// Of a call that changes something.
const OF_COMMANDS: &[&Code] =
    &[&problem::CONFLICT, &problem::IDEMPOTENCY_IN_PROGRESS, &problem::IDEMPOTENCY_KEY_REUSED];

/// Of a call that names an object: in its path, in its body or in a filter.
const OF_REFERENCES: &[&Code] = &[&problem::NOT_FOUND, &problem::WRONG_ID_TYPE];

/// Every problem that an operation can have, in the order of the table. An answer with another code
/// is a fault of the operation's declaration.
pub fn problems_of(operation: &Operation) -> Vec<&'static Code> {
    let command = operation.kind != Kind::Query;
    let has = |code: &Code| {
        let among = |codes: &[&Code]| codes.iter().any(|other| other.code == code.code);
        among(OF_ALL)
            || operation.method != Method::Get && among(OF_BODIES)
            || command && among(OF_COMMANDS)
            || refers(operation) && among(OF_REFERENCES)
            || command && operation.has_id() && among(&[&problem::VERSION_MISMATCH])
            || operation.list.is_some() && among(&[&problem::INVALID_CURSOR])
            || operation.shaped && among(&[&problem::EXPANSION_TOO_LARGE])
            || among(&operation.fails)
    };
    // A batch that is aborted says so line by line; its own answer is a success.
    let of_lines =
        |code: &Code| operation.kind == Kind::Batch && code.code == problem::BATCH_ABORTED.code;
    problem::ALL.iter().copied().filter(|code| has(code) && !of_lines(code)).collect()
}

fn refers(operation: &Operation) -> bool {
    let by_filter = operation.list.iter().flat_map(|rules| &rules.filters);
    let mut by_filter = by_filter.filter(|rule| matches!(rule.kind, FilterKind::Id(_)));
    operation.has_id()
        || operation.kind != Kind::Batch && operation.input.is_some()
        || by_filter.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy;

    fn codes(id: &str) -> Vec<&'static str> {
        let registry = toy::registry();
        let operation = registry.operation(id).unwrap();
        problems_of(operation).into_iter().map(|code| code.code).collect()
    }

    #[test]
    fn each_kind_of_operation_has_its_problems_once_and_in_order() {
        for operation in toy::registry().operations() {
            let found = codes(operation.id);
            let place = |code: &str| problem::ALL.iter().position(|known| known.code == code);
            assert!(found.iter().map(|code| place(code)).is_sorted_by(|a, b| a < b), "{found:?}");
            assert!(found.contains(&"unauthenticated") && found.contains(&"quota_exceeded"));
        }
        let list = codes("brand.list");
        assert!(list.contains(&"invalid_cursor") && list.contains(&"expansion_too_large"));
        assert!(!list.contains(&"conflict") && !list.contains(&"not_found"));
        // A filter takes ids.
        assert!(codes("category.list").contains(&"wrong_id_type"));
        assert!(codes("brand.get").contains(&"not_found"));
        let update = codes("brand.update");
        assert!(update.contains(&"version_mismatch") && update.contains(&"slug_taken"));
        assert!(update.contains(&"payload_too_large") && !update.contains(&"invalid_cursor"));
    }

    #[test]
    fn a_batch_aborts_in_its_lines_only() {
        let batch = codes("batch.run");
        assert!(!batch.contains(&"batch_aborted") && !batch.contains(&"not_found"));
        assert!(batch.contains(&"idempotency_key_reused"));
    }
}
