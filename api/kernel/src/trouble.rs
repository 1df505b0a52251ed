//! Why the database takes no changes: told from its errors, kept until a change is made again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::problem::{self, Problem, Text};

/// Room is rarely made sooner; nor is a disk mended.
const RETRY_STORAGE_S: u64 = 30;
const RETRY_DATABASE_S: u64 = 2;

/// What keeps the database from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its disk has no room.
    StorageFull,
    /// It takes no changes.
    ReadOnly,
    /// Its disk fails to read or write.
    InputOutput,
    /// It does not answer, or the connection was lost.
    Unreachable,
}

impl Trouble {
    /// What an error tells of the database itself; `None` where it is about the statement.
    pub fn of(error: &DbErr) -> Option<Self> {
        let cause = match error {
            DbErr::ConnectionAcquire(_) => return Some(Self::Unreachable),
            DbErr::Conn(RuntimeErr::SqlxError(cause)) => {
                return Some(Self::from_code(cause).unwrap_or(Self::Unreachable));
            }
            DbErr::Conn(RuntimeErr::Internal(_)) => return Some(Self::Unreachable),
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause,
            _ => return None,
        };
        let lost = matches!(
            &**cause,
            SqlxError::Io(_)
                | SqlxError::PoolTimedOut
                | SqlxError::PoolClosed
                | SqlxError::WorkerCrashed
                | SqlxError::BeginFailed
                | SqlxError::Tls(_)
        );
        if lost { Some(Self::Unreachable) } else { Self::from_code(cause) }
    }

    fn from_code(error: &SqlxError) -> Option<Self> {
        let code = error.as_database_error()?.code()?;
        // PostgreSQL's have five characters; SQLite's are numbers whose lowest byte is the kind.
        if code.len() == 5 {
            return match &*code {
                "53100" => Some(Self::StorageFull),
                "25006" => Some(Self::ReadOnly),
                // A server that goes down, crashed, or has no place for another connection.
                "53300" | "57P01" | "57P02" | "57P03" | "57P05" => Some(Self::Unreachable),
                code if code.starts_with("08") => Some(Self::Unreachable),
                code if code.starts_with("58") => Some(Self::InputOutput),
                _ => None,
            };
        }
        match code.parse::<u32>().ok()? & 0xff {
            13 => Some(Self::StorageFull),
            8 => Some(Self::ReadOnly),
            10 => Some(Self::InputOutput),
            14 => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// What is wrong and what helps, for the operator.
    pub fn reason(self) -> &'static str {
        self.words().0
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::StorageFull => (
                "The disk of the database is full; changes are taken again once there is room.",
                "El disco de la base de datos está lleno; se aceptarán cambios cuando haya espacio.",
            ),
            Self::ReadOnly => (
                "The database is read-only; changes are taken again once it is not.",
                "La base de datos es de sólo lectura; se aceptarán cambios cuando deje de serlo.",
            ),
            Self::InputOutput => (
                "The disk of the database fails to read or write.",
                "El disco de la base de datos falla al leer o escribir.",
            ),
            Self::Unreachable => ("The database does not answer.", "La base de datos no responde."),
        }
    }

    pub(crate) fn problem(self) -> Problem {
        match self {
            Self::StorageFull => Problem::new(&problem::STORAGE_FULL).retry_after(RETRY_STORAGE_S),
            Self::Unreachable => {
                Problem::new(&problem::DATABASE_UNAVAILABLE).retry_after(RETRY_DATABASE_S)
            }
            Self::ReadOnly | Self::InputOutput => {
                let (en, es) = self.words();
                Problem::new(&problem::DATABASE_UNAVAILABLE)
                    .detail(Text::of(en, es))
                    .retry_after(RETRY_DATABASE_S)
            }
        }
    }
}

/// What is noted as itself; that the database does not answer shows whenever it is asked.
const NOTABLE: [Trouble; 3] = [Trouble::StorageFull, Trouble::ReadOnly, Trouble::InputOutput];

/// On a disk that is all but full a small change still finds room: only when none has failed for so
/// long is the trouble over.
const OVER_AFTER: Duration = Duration::from_secs(5);

/// The trouble of the last change that failed, until changes succeed again.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// Mostly there is nothing, and what is only read is shared between threads.
    any: AtomicBool,
    last: Mutex<Option<(Trouble, Instant)>>,
}

impl Noted {
    /// Notes what came of a change.
    pub(crate) fn failed(&self, error: &DbErr) {
        if let Some(trouble) = Trouble::of(error).filter(|trouble| NOTABLE.contains(trouble)) {
            *self.last() = Some((trouble, Instant::now()));
            self.any.store(true, Ordering::Release);
        }
    }

    /// A change was made.
    pub(crate) fn succeeded(&self) {
        if self.any.load(Ordering::Acquire) {
            let mut last = self.last();
            if last.is_none_or(|(_, at)| at.elapsed() >= OVER_AFTER) {
                *last = None;
                self.any.store(false, Ordering::Release);
            }
        }
    }

    /// What is noted.
    pub(crate) fn now(&self) -> Option<Trouble> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.last().map(|(trouble, _)| trouble)
    }

    fn last(&self) -> MutexGuard<'_, Option<(Trouble, Instant)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
