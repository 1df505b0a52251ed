//! What was measured of webhooks, for people.

use super::{FLOODS, Figures, Latency, Rate};
use crate::process::Memory;
use crate::report::{aim, mib};

/// What the best open webhook server does on two such cores, to 1 and to 5 endpoints a second.
const SVIX: [f64; 2] = [1_080.0, 3_060.0];
/// The part of the bare client's rate that is left with everything kept, at least.
const KEPT_MIN: f64 = 0.5;
const P99_MS_MAX: f64 = 100.0;
/// By how much a dead endpoint may change the p99 of another.
const HARM_MAX: f64 = 0.10;

pub(super) fn print(figures: &Figures) {
    let Figures { bare, committed, delivered, alone, beside_dead, .. } = figures;
    let ms = |of: fn(&Latency) -> f64, all: &[Latency]| all.iter().map(of).collect::<Vec<_>>();
    println!("\n{:<42}{:>10} {:<14}{:>10}  each round", "", "median", "", "CPU µs");
    for (what, unit, rates) in [
        ("the client alone, nothing kept", "posts/s", bare),
        ("events committed, nobody to send to", "events/s", committed),
        ("end to end, 1 endpoint", "deliveries/s", &delivered[0]),
        ("end to end, 5 endpoints", "deliveries/s", &delivered[1]),
        ("end to end, 50 endpoints", "deliveries/s", &delivered[2]),
    ] {
        let all = per_second(rates);
        let each: Vec<_> = all.iter().map(|figure| format!("{figure:.0}")).collect();
        let (middle, each) = (median(&all), each.join("  "));
        println!("{what:<42}{middle:>10.0} {unit:<14}{:>10.0}  {each}", cpu_us(rates));
    }
    for (what, all) in [
        ("100 events/s: commit to first byte, p50", ms(|one| one.p50_ms, alone)),
        ("100 events/s: commit to first byte, p99", ms(|one| one.p99_ms, alone)),
        ("beside a dead endpoint, p50", ms(|one| one.p50_ms, beside_dead)),
        ("beside a dead endpoint, p99", ms(|one| one.p99_ms, beside_dead)),
    ] {
        let each: Vec<_> = all.iter().map(|figure| format!("{figure:.1}")).collect();
        println!("{what:<42}{:>10.1} {:<14}{:>10}  {}", median(&all), "ms", "", each.join("  "));
    }
    println!(
        "\nA message has {:.0} bytes with its headers; {} came twice.",
        figures.message_bytes, figures.doubled
    );
    if let (Some(idle), Some(loaded)) = (figures.idle, figures.loaded) {
        let Memory { resident, peak } = loaded;
        println!(
            "Memory, MiB: {:.1} before, {:.1} after (at most {:.1}).",
            mib(idle.resident),
            mib(resident),
            mib(peak)
        );
    }
    aims(figures);
}

fn aims(figures: &Figures) {
    let rate = |of: usize| median(&per_second(&figures.delivered[of]));
    let kept = |of: usize| 100.0 * rate(of) / median(&per_second(&figures.bare));
    let kept_cpu = 100.0 * cpu_us(&figures.bare) / cpu_us(&figures.delivered[1]);
    println!("\nAims");
    aim(
        kept(1) > 100.0 * KEPT_MIN,
        "over half of the bare client's rate, to 5",
        &format!("{:.0} % (by processor time {kept_cpu:.0} %; to 1 {:.0} %)", kept(1), kept(0)),
    );
    for (of, svix) in SVIX.iter().enumerate() {
        let times = rate(of) / svix;
        let what = format!("3 × {svix} deliveries/s to {}", FLOODS[of].0);
        let alone = 1e6 / cpu_us(&figures.delivered[of]);
        let figure = format!("{times:.1} × (a core of its own would do {alone:.0})");
        aim(times >= 3.0, &what, &figure);
    }
    let p99 = |all: &[Latency]| median(&all.iter().map(|one| one.p99_ms).collect::<Vec<_>>());
    let (alone, beside) = (p99(&figures.alone), p99(&figures.beside_dead));
    let harm = beside / alone - 1.0;
    aim(
        alone < P99_MS_MAX,
        "p99 from commit to first byte under 100 ms",
        &format!("{alone:.1} ms"),
    );
    aim(
        harm < HARM_MAX,
        "a dead endpoint changes another's p99 by less than 10 %",
        &format!("{:+.0} %", 100.0 * harm),
    );
}

fn per_second(all: &[Rate]) -> Vec<f64> {
    all.iter().map(|one| one.per_second).collect()
}

fn cpu_us(all: &[Rate]) -> f64 {
    median(&all.iter().map(|one| one.cpu_us).collect::<Vec<_>>())
}

fn median(all: &[f64]) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}
