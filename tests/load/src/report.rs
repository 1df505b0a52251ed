//! What was measured, for people.

use crate::process::Memory;
use crate::round::Round;
use crate::scenario::{Scenario, Scenarios};

/// The part of the straight read's rate that the corridor keeps, at least.
const KEPT_MIN: f64 = 0.60;
/// The most statements that a list with expansion may cost.
const LIST_STATEMENTS_MAX: f64 = 4.0;
/// The part of REST's rate that the same page keeps through GraphQL, at least.
const GRAPHQL_MIN: f64 = 0.60;
/// The most statements that a page may cost: one, and one a link.
const PAGE_STATEMENTS_MAX: f64 = 5.0;
/// The most memory that an idle server may hold.
const IDLE_MIB_MAX: f64 = 60.0;

/// The server's memory at four moments.
pub(crate) struct Memories {
    /// After the first start, which loads the demo.
    pub(crate) loading: Memory,
    /// A few seconds after another start.
    pub(crate) idle: Memory,
    /// After the load.
    pub(crate) loaded: Memory,
}

/// Prints it all.
pub(crate) fn print(scenarios: &Scenarios, memories: &Memories) {
    table(scenarios);
    memory(memories);
    breakdown(scenarios);
    aims(scenarios, memories);
}

fn table(scenarios: &Scenarios) {
    let straight = scenarios.straight.median(rate);
    println!(
        "{:<18}{:>11}{:>8}{:>13}{:>9}{:>9}{:>9}{:>9}{:>9}{:>15}{:>10}{:>10}",
        "",
        "requests/s",
        "spread",
        "of straight",
        "p50 µs",
        "p99 µs",
        "SQL/req",
        "CPU µs",
        "bytes",
        "cores busy",
        "log lost",
        "failures"
    );
    for scenario in scenarios.all() {
        println!(
            "{:<18}{:>11.0}{:>6.0} %{:>11.0} %{:>9.0}{:>9.0}{:>9.2}{:>9.0}{:>9.0}{:>15}{:>10}{:>10}",
            scenario.name,
            scenario.median(rate),
            100.0 * scenario.spread(),
            100.0 * scenario.median(rate) / straight,
            scenario.median(|round| round.p50_us),
            scenario.median(|round| round.p99_us),
            scenario.statements,
            scenario.median(cpu),
            scenario.median(|round| round.bytes),
            busy(scenario),
            scenario.lost,
            scenario.failures(),
        );
    }
    let client = scenarios.all().map(|scenario| scenario.median(|round| round.client));
    println!(
        "\nCores busy: the server's + the client's, whoever worked there. The client itself took \
         at most {:.0} % of its core.",
        100.0 * client.into_iter().fold(0.0, f64::max)
    );
    for scenario in [&scenarios.straight, &scenarios.get] {
        let rates: Vec<_> = scenario.rounds.iter().map(|r| format!("{:.0}", r.rate)).collect();
        println!("Rounds of {:<18}{}", scenario.name, rates.join("  "));
    }
    for scenario in scenarios.all() {
        for failure in scenario.rounds.iter().filter_map(|round| round.failure.as_ref()) {
            println!("FAILED {}: {failure}", scenario.name);
        }
    }
}

fn busy(scenario: &Scenario) -> String {
    format!(
        "{:.0} + {:.0} %",
        100.0 * scenario.median(|round| round.server_core),
        100.0 * scenario.median(|round| round.client_core)
    )
}

fn memory(memories: &Memories) {
    let Memories { loading, idle, loaded } = memories;
    println!(
        "\nMemory, MiB: idle {:.1} (at most {:.1} while starting), after the load {:.1} (at most \
         {:.1}); the first start, which loaded the demo, {:.1} (at most {:.1}).",
        mib(idle.resident),
        mib(idle.peak),
        mib(loaded.resident),
        mib(loaded.peak),
        mib(loading.resident),
        mib(loading.peak),
    );
}

/// Where the time goes, from differences of what was measured.
fn breakdown(scenarios: &Scenarios) {
    let Scenarios { bare, straight, get, .. } = scenarios;
    let (http, read, whole) = (bare.median(cpu), straight.median(cpu), get.median(cpu));
    println!("\nWhat a read costs, µs of the server's processor time:");
    println!("  {:>7.1}  HTTP and JSON (the bare route)", http);
    println!("  {:>7.1}  the row through SeaORM (straight − bare)", read - http);
    println!("  {:>7.1}  the corridor (GET − straight), of which", whole - read);
    let mut parts: Vec<(f64, &str)> = PARTS
        .iter()
        .map(|(kind, what)| (thread(get, kind) - thread(straight, kind), *what))
        .collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (spent, what) in parts.iter().filter(|(spent, _)| spent.abs() >= 0.1) {
        println!("  {spent:>13.1}  {what}");
    }
    println!("  {whole:>7.1}  in all");

    let mut dearest = scenarios.all();
    dearest.sort_by(|a, b| b.median(cpu).total_cmp(&a.median(cpu)));
    let each = dearest.map(|one| format!("{} {:.0}", one.name, one.median(cpu)));
    println!("What costs most, µs of processor time a request: {}.", each.join(", "));
    if let Some((spent, what)) = parts.first() {
        println!("What costs most of the corridor: {what}, {spent:.1} µs a read.");
    }
}

/// The kinds of threads, and what the corridor has them do beyond what a straight read does.
const PARTS: [(&str, &str); 4] = [
    ("worker", "on the worker's thread: the way of the call itself"),
    ("SQLite", "on SQLite's threads: mostly the request log's rows"),
    ("main", "on the main thread: putting the request log's statements together"),
    ("other", "on other threads"),
];

fn thread(scenario: &Scenario, kind: &str) -> f64 {
    scenario.median(|round| round.threads_us.get(kind).copied().unwrap_or_default())
}

fn aims(scenarios: &Scenarios, memories: &Memories) {
    let Scenarios { straight, get, list, page, graphql, .. } = scenarios;
    let beside = graphql.median(rate) / page.median(rate);
    let kept = get.median(rate) / straight.median(rate);
    let kept_cpu = straight.median(cpu) / get.median(cpu);
    let idle = mib(memories.idle.resident);
    println!("\nAims");
    aim(
        kept >= KEPT_MIN,
        "the corridor keeps at least 60 % of the straight read's rate",
        &format!("{:.0} % (by processor time {:.0} %)", 100.0 * kept, 100.0 * kept_cpu),
    );
    aim(
        list.statements <= LIST_STATEMENTS_MAX,
        "a list with expansion costs at most 4 statements",
        &format!("{:.2}", list.statements),
    );
    aim(
        beside >= GRAPHQL_MIN,
        "20 products with 4 links: GraphQL keeps 60 % of REST's rate",
        &format!("{:.0} %", 100.0 * beside),
    );
    aim(
        graphql.statements <= PAGE_STATEMENTS_MAX,
        "and costs one statement, and one a link",
        &format!("{:.2} (REST {:.2})", graphql.statements, page.statements),
    );
    aim(idle < IDLE_MIB_MAX, "an idle server holds less than 60 MiB", &format!("{idle:.1} MiB"));
}

pub(crate) fn aim(reached: bool, what: &str, figure: &str) {
    println!("  {:<4}{what:<62}{figure}", if reached { "yes" } else { "NO" });
}

fn rate(round: &Round) -> f64 {
    round.rate
}

fn cpu(round: &Round) -> f64 {
    round.cpu_us
}

pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
