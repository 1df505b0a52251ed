//! What one evaluation may use. Every step costs fuel, also each part of a value that is looked at,
//! and every value that is made counts its bytes: so an evaluation ends in a few milliseconds and
//! about a MiB, whatever the expression and the event are.

/// The fuel of one evaluation. A unit is some five nanoseconds of a release build.
pub(crate) const FUEL_MAX: u64 = 1_000_000;

/// The bytes of all values that one evaluation makes, those included that are not used any more.
pub(crate) const MADE_BYTES_MAX: usize = 1024 * 1024;

/// One operation, or one turn of a loop.
pub(super) const STEP: u64 = 10;

/// Bytes that are copied or compared for one unit.
const BYTES_A_UNIT: usize = 32;

/// Bytes that are searched for one unit.
const SEARCHED_A_UNIT: usize = 4;

/// Why an evaluation has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The expression and the event do not go together: a missing field, a wrong type.
    Wrong(String),
    /// It needs more than it may use. Nothing goes on after this.
    TooCostly,
}

impl Fault {
    pub(super) fn wrong(said: impl Into<String>) -> Self {
        Self::Wrong(said.into())
    }
}

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    fuel: u64,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { fuel: FUEL_MAX, bytes: MADE_BYTES_MAX }
    }
}

impl Budget {
    pub(super) fn spend(&mut self, units: u64) -> Result<(), Fault> {
        let left = self.fuel.checked_sub(units);
        self.fuel = left.unwrap_or(0);
        left.map(drop).ok_or(Fault::TooCostly)
    }

    /// Bytes are compared, or read through once.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(1 + (bytes / BYTES_A_UNIT) as u64)
    }

    /// One text is looked for in another.
    pub(super) fn search(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(1 + (bytes / SEARCHED_A_UNIT) as u64)
    }

    /// A value of so many bytes is about to be made.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), Fault> {
        self.read(bytes)?;
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(0);
        left.map(drop).ok_or(Fault::TooCostly)
    }

    /// What has been used of the fuel.
    pub(super) fn used(&self) -> u64 {
        FUEL_MAX.saturating_sub(self.fuel)
    }

    #[cfg(test)]
    pub(super) fn made(&self) -> usize {
        MADE_BYTES_MAX.saturating_sub(self.bytes)
    }
}
