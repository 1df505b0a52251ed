//! Expressions that mean harm: none may panic, and each stays within its budget. More of them with
//! `BODEGA_FUZZ_CASES`.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::budget::MADE_BYTES_MAX;
use super::*;

/// Generous: a debug build, beside others, on a slow machine. The fuel is what bounds it.
const EVALUATION: Duration = Duration::from_secs(2);
const COMPILATION: Duration = Duration::from_secs(4);

pub(super) fn cases() -> u32 {
    std::env::var("BODEGA_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256)
}

fn event() -> Json {
    json!({
        "type": "product.updated",
        "data": {
            "text": "aé".repeat(20_000), "as": "a".repeat(50_000), "pattern": "(a|b|ab)*c",
            "list": (0..3_000).collect::<Vec<_>>(), "n": 7,
            "deep": (0..60).fold(json!(1), |inner, _| json!([inner, {"a": inner}])
                .as_array().map(|all| json!([all[0]])).unwrap_or_default()),
            "objects": (0..300).map(|n| json!({"n": n, "s": "x".repeat(50)})).collect::<Vec<_>>(),
        },
        "previous": null,
    })
}

/// Compiles and runs it; what it took. Nothing it does may exceed its bounds.
fn attack(source: &str, event: &Json) -> Option<(Verdict, u64)> {
    let began = Instant::now();
    let compiled = Filter::compile(source);
    assert!(began.elapsed() < COMPILATION, "{:?} to compile {source}", began.elapsed());
    let filter = compiled.ok()?;
    let began = Instant::now();
    let mut run = Run::new(Value::from(event));
    let ended = run.value(&filter.0).map(|value| value.type_name());
    assert!(began.elapsed() < EVALUATION, "{:?} to run {source}", began.elapsed());
    assert!(run.budget.made() <= MADE_BYTES_MAX && run.budget.used() <= FUEL_MAX, "{source}");
    let (verdict, fuel) = filter.run(|| Value::from(event));
    assert_eq!(ended == Err(Fault::TooCostly), verdict == Verdict::TooCostly, "{source}");
    Some((verdict, fuel))
}

#[test]
fn the_known_killers_are_harmless() {
    let event = event();
    let grown = format!("['x']{}[0].size() > 0", ".map(a,a+a+a+a)".repeat(17));
    assert_eq!(attack(&grown, &event).map(|all| all.0), Some(Verdict::TooCostly));
    let shared = format!("[1]{} == [2]", ".map(a,[a,a,a,a])".repeat(17));
    assert!(attack(&shared, &event).is_some());
    let twice = format!("[1]{0} == [1]{0}", ".map(a,[a,a,a,a])".repeat(12));
    assert_eq!(attack(&twice, &event).map(|all| all.0), Some(Verdict::TooCostly));
    for loops in [
        "event.data.list.all(a, event.data.list.all(b, event.data.list.all(c, true)))",
        "event.data.list.map(a, event.data.list).map(b, b + b + b).size() == 0",
        "event.data.list.all(a, event.data.text.contains(event.data.as + 'b') == false)",
        "event.data.list.all(a, event.data.text == event.data.text)",
        "event.data.list.all(a, event.data == event.data)",
        "event.data.list.map(a, string(event.data.n) + event.data.as).size() == 0",
        "event.data.list.exists(a, event.data.text.matches('(a|é)*b' + 'x'))",
        "event.data.as.matches('(.*)(.*)(.*)(.*)(.*)[^a]')",
    ] {
        let verdict = attack(loops, &event).map(|all| all.0);
        assert_eq!(verdict, Some(Verdict::TooCostly), "{loops}");
    }
    for pattern in [
        "((((a{99}){99}){99}){99}){99}",
        "(?i)\\\\pL{200}",
        "(\\\\w{50}){50}",
        "[\\\\s\\\\S]{0,9999}",
        "(((((((((((((((((((((((((a)))))))))))))))))))))))))",
    ] {
        assert!(attack(&format!("event.data.text.matches('{pattern}')"), &event).is_none());
    }
    for open in
        ["(", "[", "{", "!", "-", "a?", "a?b:", "(\")\"+", "[\"]]]\",", "a.?", "a[", "-(", "!["]
    {
        for long in [10, 30, 90, 999 / open.len()] {
            attack(&open.repeat(long), &event);
            attack(&format!("{}1", open.repeat(long)), &event);
        }
    }
    // What was written to the database by another hand.
    assert!(attack(&"(".repeat(1_000_000), &event).is_none());
}

#[test]
fn ordinary_filters_are_cheap() {
    let event = event();
    for source in [
        "event.data.n == 7",
        "event.type == 'product.updated' && event.data.n > 3 || has(event.previous.n)",
        "event.data.objects.exists(o, o.n == 299 && o.s.startsWith('xx'))",
        "event.data.list.filter(n, n % 2 == 0).size() > 100",
        "event.data.text.contains('éaé')",
    ] {
        let (verdict, fuel) = attack(source, &event).unwrap_or((Verdict::Fails, 0));
        assert_ne!(verdict, Verdict::TooCostly, "{source} took {fuel}");
        assert!(fuel < FUEL_MAX / 2, "{source} took {fuel}");
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("event.data.text".to_owned()),
        Just("event.data.as".to_owned()),
        Just("event.data.list".to_owned()),
        Just("event.data.objects".to_owned()),
        Just("event.data.deep".to_owned()),
        Just("event".to_owned()),
        Just("a".to_owned()),
        Just("[a,a,a,a]".to_owned()),
        Just("a+a+a+a".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("1e308".to_owned()),
        Just("'(a*)*b'".to_owned()),
        Just("'[^x]{30}'".to_owned()),
        Just("event.data.pattern".to_owned()),
        "[a-zé東😀\u{7f}-\u{ff}]{0,40}".prop_map(|text| format!("{text:?}")),
    ];
    leaf.prop_recursive(7, 60, 3, |inner| {
        let each = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        prop_oneof![
            4 => (inner.clone(), each, inner.clone())
                .prop_map(|(over, name, body)| format!("{over}.{name}(a,{body})")),
            3 => (inner.clone(), inner.clone(), 1_usize..18).prop_map(|(over, body, times)| {
                format!("[{over}]{}", format!(".map(a,{body})").repeat(times))
            }),
            2 => (inner.clone(), prop::sample::select(vec!["+", "==", "<", "&&", "||", "in"]),
                inner.clone()).prop_map(|(a, name, b)| format!("({a}{name}{b})")),
            2 => (inner.clone(), prop::sample::select(vec!["matches", "contains", "endsWith"]),
                inner.clone()).prop_map(|(a, name, b)| format!("{a}.{name}({b})")),
            1 => (inner.clone(), 1_usize..30).prop_map(|(a, times)| {
                format!("{}{a}{}", "(".repeat(times), ")".repeat(times))
            }),
            1 => (inner.clone(), 1_usize..60).prop_map(|(a, times)| "!".repeat(times) + &a),
            1 => (inner.clone(), inner.clone(), 1_usize..40)
                .prop_map(|(a, b, times)| format!("{a}?{b}:").repeat(times) + &b),
            1 => inner.clone().prop_map(|a| format!("{{{a}:{a}}}")),
            1 => inner.clone().prop_map(|a| format!("string({a})")),
            1 => inner.prop_map(|a| format!("size({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn what_means_harm_stays_in_its_bounds(source in hostile()) {
        attack(&source, &event());
        attack(&format!("[event.data.as].all(a, {source} == a)"), &event());
    }

    #[test]
    fn any_text_is_read_or_refused(
        source in "[\\[\\](){}?:!\"'a-z0-9.+<>=&|,\\\\ \u{0}\u{e9}\u{1f600}-]{0,300}",
    ) {
        attack(&source, &event());
    }

    #[test]
    fn any_pattern_is_bounded(pattern in "[()|*+?{}0-9,a-c.\\[\\]^\\\\wdpL]{0,60}") {
        attack(&format!("event.data.as.matches(r\"{pattern}\")"), &event());
        attack(&format!("event.data.text.matches(\"(?i)\" + r\"{pattern}\")"), &event());
    }
}
