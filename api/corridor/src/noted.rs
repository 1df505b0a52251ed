//! What is written down of a caller: bounded, once, for every door.

use bodega_contract::Caller;

/// What is written down of a caller's program is cut to this.
const USER_AGENT_BYTES_MAX: usize = 500;

/// Of a path.
const PATH_BYTES_MAX: usize = 2_048;

/// Of an idempotency key: as many letters as it may have, each of up to four bytes.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 4 * 255;

/// Of W3C Trace Context: as long as its version 00 is.
const TRACEPARENT_BYTES_MAX: usize = 55;

/// What is written down of a caller, in the request log and in the journal of every line of a batch:
/// bounded, however long its headers are.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// The program.
    pub(crate) user_agent: Option<String>,
    /// W3C Trace Context.
    pub(crate) traceparent: String,
    /// The path.
    pub(crate) path: String,
}

impl Noted {
    /// What is written down of a caller.
    pub(crate) fn of(caller: &Caller) -> Self {
        Self {
            user_agent: caller.user_agent.as_deref().map(|text| cut(text, USER_AGENT_BYTES_MAX)),
            traceparent: cut(&caller.traceparent, TRACEPARENT_BYTES_MAX),
            path: cut(&caller.path, PATH_BYTES_MAX),
        }
    }

    /// What is written down of an idempotency key.
    pub(crate) fn key(key: &str) -> String {
        cut(key, IDEMPOTENCY_KEY_BYTES_MAX)
    }
}

fn cut(text: &str, bytes_max: usize) -> String {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_whole_letters_and_no_more_than_its_bound() {
        assert_eq!(cut("curl/8", USER_AGENT_BYTES_MAX), "curl/8");
        let long = "ñ".repeat(1_000);
        assert_eq!(cut(&long, 501), "ñ".repeat(250));
        assert_eq!(Noted::key(&"x".repeat(120_000)).len(), IDEMPOTENCY_KEY_BYTES_MAX);
    }
}
