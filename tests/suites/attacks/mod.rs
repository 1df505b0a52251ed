//! Attacks: what one caller sends or does not read must not hurt another.

mod edges;
