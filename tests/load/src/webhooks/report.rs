//! What was measured of webhooks, for people.

use super::{FLOODS, Figures, Latency};
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
    let rows = [
        ("the client alone, nothing kept", "posts/s", bare.clone()),
        ("events committed, nobody to send to", "events/s", committed.clone()),
        ("end to end, 1 endpoint", "deliveries/s", delivered[0].clone()),
        ("end to end, 5 endpoints", "deliveries/s", delivered[1].clone()),
        ("end to end, 50 endpoints", "deliveries/s", delivered[2].clone()),
        ("100 events/s: commit to first byte, p50", "ms", ms(|one| one.p50_ms, alone)),
        ("100 events/s: commit to first byte, p99", "ms", ms(|one| one.p99_ms, alone)),
        ("beside a dead endpoint, p50", "ms", ms(|one| one.p50_ms, beside_dead)),
        ("beside a dead endpoint, p99", "ms", ms(|one| one.p99_ms, beside_dead)),
    ];
    println!("\n{:<42}{:>10} {:<14}each round", "", "median", "");
    for (what, unit, rounds) in &rows {
        let digits = usize::from(*unit == "ms");
        let each: Vec<_> = rounds.iter().map(|figure| format!("{figure:.digits$}")).collect();
        println!("{what:<42}{:>10.digits$} {unit:<14}{}", median(rounds), each.join("  "));
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
    let rate = |of: usize| median(&figures.delivered[of]);
    let kept = (0..FLOODS.len()).map(rate).fold(0.0, f64::max) / median(&figures.bare);
    println!("\nAims");
    aim(
        kept > KEPT_MIN,
        "over half of the bare client's rate",
        &format!("{:.0} % (1 endpoint {:.0} %)", 100.0 * kept, 100.0 * rate(0) / median(&figures.bare)),
    );
    for (of, svix) in SVIX.iter().enumerate() {
        let times = rate(of) / svix;
        let what = format!("3 × {svix} deliveries/s to {}", FLOODS[of].0);
        aim(times >= 3.0, &what, &format!("{times:.1} ×"));
    }
    let p99 = |all: &[Latency]| median(&all.iter().map(|one| one.p99_ms).collect::<Vec<_>>());
    let (alone, beside) = (p99(&figures.alone), p99(&figures.beside_dead));
    let harm = beside / alone - 1.0;
    aim(alone < P99_MS_MAX, "p99 from commit to first byte under 100 ms", &format!("{alone:.1} ms"));
    aim(
        harm < HARM_MAX,
        "a dead endpoint changes another's p99 by less than 10 %",
        &format!("{:+.0} %", 100.0 * harm),
    );
}

fn median(all: &[f64]) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}
