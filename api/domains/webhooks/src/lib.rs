//! The event log: every change, as it was committed.

mod event;

use bodega_contract::Declared;

pub use event::EventEntry;

/// What this domain offers.
pub fn resources() -> Vec<Declared> {
    vec![event::resource().into()]
}
