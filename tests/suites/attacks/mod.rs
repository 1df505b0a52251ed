//! Attacks: what a caller tries who wants more than its share or its rights. Each says what it must
//! not get, and that others go on meanwhile.

mod keys;
mod shares;
