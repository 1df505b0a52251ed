//! Regular expressions. What one costs for a byte of text grows with the machine that it compiles
//! to, so it is compiled to the smallest of a few sizes that holds it, and charged by that size.

use bodega_kernel::{Text, text};
use regex::{Regex, RegexBuilder};

use super::budget::{Budget, Fault};

/// The longest pattern.
const PATTERN_BYTES_MAX: usize = 250;

/// How many patterns an expression may have: each keeps a machine.
pub(crate) const PATTERNS_MAX: usize = 5;

/// What a machine may keep of the states it has been through.
const STATES_BYTES_MAX: usize = 64 * 1024;

/// The size of a machine in bytes, and what it costs for each byte of text, at its worst: when each
/// byte leads to a state that it has not been in.
const SIZES: [(usize, u64); 3] = [(4 * 1024, 20), (16 * 1024, 80), (64 * 1024, 320)];

/// Compiling a pattern that the expression makes while it runs.
const COMPILING: u64 = 200_000;

/// A pattern that is ready to be looked for.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// Fuel for each byte.
    rate: u64,
}

impl Pattern {
    pub(super) fn compile(pattern: &str) -> Result<Self, Text> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(text(
                format!("a pattern of `matches` has more than {PATTERN_BYTES_MAX} bytes"),
                format!("un patrón de `matches` pasa de {PATTERN_BYTES_MAX} bytes"),
            ));
        }
        for (size, rate) in SIZES {
            let built = RegexBuilder::new(pattern)
                .size_limit(size)
                .dfa_size_limit(STATES_BYTES_MAX)
                .nest_limit(20)
                .build();
            match built {
                Ok(regex) => return Ok(Self { regex, rate }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => {
                    return Err(text(
                        "a pattern of `matches` is not a valid regular expression",
                        "un patrón de `matches` no es una expresión regular válida",
                    ));
                }
            }
        }
        Err(text(
            "a pattern of `matches` costs too much: it repeats too often or has too many cases",
            "un patrón de `matches` cuesta demasiado: repite demasiado o tiene demasiados casos",
        ))
    }

    /// A pattern that is known only now.
    pub(super) fn compile_now(pattern: &str, budget: &mut Budget) -> Result<Self, Fault> {
        budget.spend(COMPILING)?;
        Self::compile(pattern)
            .map_err(|said| Fault::wrong(said.get(bodega_kernel::Language::English)))
    }

    pub(super) fn is_in(&self, text: &str, budget: &mut Budget) -> Result<bool, Fault> {
        budget.spend((text.len() as u64 + 1).saturating_mul(self.rate))?;
        Ok(self.regex.is_match(text))
    }
}
