//! What callers who mean harm have tried, and what must come of it: nothing, for anybody else.

mod filters;
