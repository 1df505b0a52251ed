//! What a key may do.

use std::collections::BTreeSet;
use std::fmt;

/// A scope: `catalog:read`, `keys:write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub &'static str);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The scopes someone holds, `*` being all of them, also those to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<String>);

impl ScopeSet {
    /// Every scope there is.
    pub fn all() -> Self {
        Self::from_iter(["*".to_owned()])
    }

    /// Whether this scope is held.
    pub fn holds(&self, scope: &str) -> bool {
        self.0.contains(scope) || self.0.contains("*")
    }

    /// Whether everything that the other holds is held here too.
    pub fn covers(&self, other: &Self) -> bool {
        other.names().all(|scope| self.holds(scope))
    }

    /// Whether these are all scopes, also those to come.
    pub fn is_all(&self) -> bool {
        self.0.contains("*")
    }

    /// The scopes that both hold.
    pub fn shared(&self, other: &Self) -> Self {
        match (self.is_all(), other.is_all()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => Self(self.0.intersection(&other.0).cloned().collect()),
        }
    }

    /// The scopes' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromIterator<String> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}
