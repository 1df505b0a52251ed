//! What one call may cost, counted where the cost arises and refused before it is made.
//!
//! A call is all that one request asks for: the lines of a batch and the root fields of a GraphQL
//! document share one budget. Objects of the answer are counted as often as the answer holds them,
//! also where many parents share one; bytes are those of the values in memory, which are some two to
//! three times those of the JSON text.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::{Code, Problem, Result, problem, text};

/// No answer holds more objects.
pub const OBJECTS_MAX: u64 = 20_000;

/// No call has more bytes of values in work.
pub const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// No call runs more statements: 1,000 lines of a batch with twenty each.
pub const STATEMENTS_MAX: u32 = 20_000;

/// No transaction of a call is open for longer: on SQLite nobody else writes meanwhile.
pub const TRANSACTION_MAX: Duration = Duration::from_secs(10);

/// So many objects of an answer cost one unit of the limits, as a call does.
pub const OBJECTS_PER_UNIT: u64 = 100;

/// From here on an answer is large. Large answers are made a few at a time, so that however many are
/// asked for at once, small ones find a processor and memory.
const LARGE_BYTES: u64 = 1024 * 1024;

/// Who asks for a large answer waits this long for their turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a member of an object takes beside its name and value: hash, lengths, an index entry.
const MEMBER_BYTES: u64 = 64;

/// What a value takes where it stands.
const VALUE_BYTES: u64 = size_of::<Value>() as u64;

/// What a call has cost so far, and what it may.
#[derive(Debug)]
pub struct Budget {
    /// Whether it is a call's; the program's own work has bounds of its own.
    of_call: bool,
    objects_max: u64,
    objects: AtomicU64,
    bytes: AtomicU64,
    statements: AtomicU32,
    /// Held by a call whose answer is large, until the call is over.
    turn: OnceCell<OwnedSemaphorePermit>,
}

/// How much of an answer something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Objects of resources.
    pub objects: u64,
    /// Bytes of values in memory.
    pub bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of_objects(OBJECTS_MAX)
    }
}

impl Budget {
    /// A budget for an answer of so many objects at most.
    pub fn of_objects(objects_max: u64) -> Self {
        Self {
            of_call: true,
            objects_max: objects_max.min(OBJECTS_MAX),
            objects: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            statements: AtomicU32::new(0),
            turn: OnceCell::new(),
        }
    }

    /// The program's own work, which answers nobody.
    pub fn of_program() -> Self {
        Self { of_call: false, ..Self::default() }
    }

    pub(crate) fn is_of_call(&self) -> bool {
        self.of_call
    }

    /// Counts what is about to be in the answer, or refuses it with this code.
    pub fn take(&self, size: Size, code: &'static Code) -> Result<()> {
        let objects = self.objects.fetch_add(size.objects, Ordering::Relaxed) + size.objects;
        let bytes = self.bytes.fetch_add(size.bytes, Ordering::Relaxed) + size.bytes;
        if objects > self.objects_max {
            return Err(exceeded(code, "objects", self.objects_max));
        }
        if bytes > BYTES_MAX {
            return Err(exceeded(code, "bytes", BYTES_MAX));
        }
        Ok(())
    }

    /// Whether nothing more fits: for those who would begin another part of the call.
    pub fn check(&self) -> Result<()> {
        self.take(Size::default(), &problem::ANSWER_TOO_LARGE)
    }

    /// Waits for one of the turns, where the answer is large already. Nothing may be in hand that
    /// others wait for: no transaction, no connection.
    pub async fn wait_turn(&self, turns: &Arc<Semaphore>) -> Result<()> {
        if self.bytes.load(Ordering::Relaxed) < LARGE_BYTES || !self.of_call {
            return Ok(());
        }
        let turn = || async {
            match tokio::time::timeout(TURN_TIMEOUT, turns.clone().acquire_owned()).await {
                Ok(Ok(turn)) => Ok(turn),
                _ => Err(Problem::new(&problem::BUSY).retry_after(1)),
            }
        };
        self.turn.get_or_try_init(turn).await.map(|_| ())
    }

    /// Whether it is this call's turn to make a large answer. It waits for nothing else then: those
    /// who have what it would wait for may be waiting for this turn.
    pub fn has_turn(&self) -> bool {
        self.turn.initialized()
    }

    /// Counts a statement; false where there were too many.
    pub(crate) fn statement(&self) -> bool {
        self.statements.fetch_add(1, Ordering::Relaxed) < STATEMENTS_MAX || !self.of_call
    }

    /// How many statements there were.
    pub fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How many objects the answer holds.
    pub fn objects(&self) -> u64 {
        self.objects.load(Ordering::Relaxed)
    }

    /// How much of the answer there is.
    pub fn size(&self) -> Size {
        Size { objects: self.objects(), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// What the objects cost: a unit for each hundred.
    pub fn units(&self) -> u32 {
        // What was refused was not made, so no more is paid for than may be.
        let made = self.objects().min(self.objects_max);
        u32::try_from(made.div_ceil(OBJECTS_PER_UNIT)).unwrap_or(u32::MAX)
    }
}

/// That a call asks too much, of what, and how much it may ask.
pub fn exceeded(code: &'static Code, limit: &'static str, max: u64) -> Problem {
    Problem::new(code).with("limit", limit).with("max", max).detail(text(
        format!("The answer would hold more than {max} {limit}; ask for less at a time."),
        format!(
            "La respuesta tendría más de {max} {}; pida menos a la vez.",
            if limit == "objects" { "objetos" } else { limit }
        ),
    ))
}

impl Size {
    /// One object of a resource, as it is.
    pub fn of(object: &Value) -> Self {
        Self { objects: 1, bytes: bytes(object) }
    }

    /// One object, given as the JSON of its members: about what its tree of values would take.
    pub(crate) fn of_text<'a>(members: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let weigh = |(name, json): (&str, &[u8])| MEMBER_BYTES + name.len() as u64 + written(json);
        Self { objects: 1, bytes: VALUE_BYTES + members.map(weigh).sum::<u64>() }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self { objects: self.objects + other.objects, bytes: self.bytes + other.bytes }
    }

    /// So many of them.
    pub fn times(self, count: u64) -> Self {
        Self {
            objects: self.objects.saturating_mul(count),
            bytes: self.bytes.saturating_mul(count),
        }
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Self::and)
    }
}

/// About how much memory a value takes.
fn bytes(value: &Value) -> u64 {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len() as u64,
            Value::Array(items) => items.iter().map(bytes).sum(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| MEMBER_BYTES + name.len() as u64 + bytes(value))
                .sum(),
            _ => 0,
        }
}

/// About how much memory a value takes that is written as JSON: what is in a list or an object is told
/// from the commas and colons between its texts.
fn written(json: &[u8]) -> u64 {
    let flat = VALUE_BYTES + json.len() as u64;
    if !matches!(json, [b'{' | b'[', _, _, ..]) {
        return flat;
    }
    let (mut in_text, mut escaped, mut bytes) = (false, false, flat);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'{' | b'[' if !in_text => bytes += VALUE_BYTES,
            b':' if !in_text => bytes += MEMBER_BYTES,
            _ => {}
        }
    }
    bytes
}

/// How many large answers are made at the same time: half of what the machine can do at once.
pub(crate) fn turns() -> Arc<Semaphore> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Arc::new(Semaphore::new((cores / 2).max(1)))
}

/// How long a transaction has been open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened(Instant);

impl Opened {
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// Whether it has been open for too long.
    pub(crate) fn is_late(self) -> bool {
        self.0.elapsed() > TRANSACTION_MAX
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_is_counted_before_it_is_made() {
        let budget = Budget::of_objects(300);
        let size = Size { objects: 100, bytes: 1_000 };
        for _ in 0..3 {
            budget.take(size, &problem::ANSWER_TOO_LARGE).unwrap();
        }
        assert_eq!((budget.objects(), budget.units()), (300, 3));
        let refused = budget.take(size, &problem::ANSWER_TOO_LARGE).unwrap_err();
        assert_eq!(
            (&refused.extra["limit"], &refused.extra["max"]),
            (&json!("objects"), &json!(300))
        );
        let large = Size { objects: 1, bytes: BYTES_MAX + 1 };
        let refused = Budget::default().take(large, &problem::ANSWER_TOO_LARGE).unwrap_err();
        assert_eq!(refused.extra["limit"], "bytes");
    }

    #[test]
    fn a_value_weighs_at_least_its_text() {
        let value = json!({"name": "x".repeat(1_000), "list": [1, 2, {"a": null}]});
        assert!(bytes(&value) > value.to_string().len() as u64);
        let text = value.to_string();
        assert!(written(text.as_bytes()) >= bytes(&value), "written, it weighs no less");
        let members = json!({"a": {"b": "{[,:\\\""}, "c": [[], {}]}).to_string();
        let own = 4 * VALUE_BYTES + 4 * VALUE_BYTES;
        assert!(written(members.as_bytes()) < own + 4 * MEMBER_BYTES + members.len() as u64);
    }
}
