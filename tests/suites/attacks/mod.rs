//! What an attacker tries.

mod sight;
