//! Scratch of the robustness helper: its suites alone, while others' do not compile. To be removed.
#[path = "../suites/faults.rs"]
mod faults;
#[path = "../suites/ledger.rs"]
mod ledger;
#[path = "../suites/limits.rs"]
mod limits;
#[path = "../suites/outage.rs"]
mod outage;
#[path = "../suites/paging.rs"]
mod paging;
#[path = "../suites/races.rs"]
mod races;
fn main() {}
