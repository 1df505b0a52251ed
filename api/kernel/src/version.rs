//! Versions inside `/v1` are dates. What breaks is one [`VersionChange`] value, kept apart from the
//! code that does the work: it turns an old request into a new one and a new answer into the old.

use serde_json::Value;

use crate::{FieldError, Problem, Result, problem, text};

/// One incompatible change.
#[derive(Clone, Debug)]
pub struct VersionChange {
    /// The version that brought it.
    pub date: &'static str,
    /// What changed, for the changelog.
    pub about: &'static str,
    /// The operations it concerns.
    pub affects: &'static [&'static str],
    /// Turns a request body of the version before into one of this version.
    pub request: fn(&mut Value),
    /// Turns an answer (or event data) of this version into one of the version before.
    pub answer: fn(&mut Value),
}

/// All versions: the first, and the changes since.
#[derive(Clone, Debug)]
pub struct Versions {
    first: &'static str,
    changes: Vec<VersionChange>,
}

impl Versions {
    /// The first version, and the changes since, oldest first.
    pub fn new(first: &'static str, changes: Vec<VersionChange>) -> Self {
        Self { first, changes }
    }

    /// The dates, oldest first.
    pub fn dates(&self) -> Vec<&'static str> {
        let mut dates = vec![self.first];
        for change in &self.changes {
            if dates.last() != Some(&change.date) {
                dates.push(change.date);
            }
        }
        dates
    }

    /// What a new key is pinned to.
    pub fn latest(&self) -> &'static str {
        self.changes.last().map_or(self.first, |change| change.date)
    }

    /// The version a call is answered in: what it asks for, else what its key is pinned to.
    pub fn choose(&self, asked: Option<&str>, pinned: &str) -> Result<&'static str> {
        let wanted = asked.unwrap_or(pinned);
        let dates = self.dates();
        dates.iter().copied().find(|date| *date == wanted).ok_or_else(|| {
            let detail = text("is not a version of this API", "no es una versión de esta API");
            Problem::new(&problem::UNKNOWN_VERSION).with("versions", dates).at(FieldError::new(
                "header",
                "/Bodega-Version",
                "unknown_version",
                detail,
            ))
        })
    }

    /// Brings a request of `version` up to the latest.
    pub fn upgrade(&self, version: &str, operation: &str, body: &mut Value) {
        for change in self.after(version, operation) {
            (change.request)(body);
        }
    }

    /// Whether an answer of this operation was another one in `version`.
    pub fn changes_answers(&self, version: &str, operation: &str) -> bool {
        self.after(version, operation).next().is_some()
    }

    /// Brings an answer of the latest version down to `version`.
    pub fn downgrade(&self, version: &str, operation: &str, body: &mut Value) {
        for change in self.after(version, operation).rev() {
            (change.answer)(body);
        }
    }

    fn after(
        &self,
        version: &str,
        operation: &str,
    ) -> impl DoubleEndedIterator<Item = &VersionChange> {
        self.changes
            .iter()
            .filter(move |change| change.date > version && change.affects.contains(&operation))
    }
}
