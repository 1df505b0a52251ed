//! What a filter says is what the `cel` crate's own interpreter says: of a list of expressions, and
//! of small ones that are made by chance.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map};
use cel::{Context, Env};
use proptest::prelude::*;
use serde_json::json;

use super::*;

static EVENT: LazyLock<Json> = LazyLock::new(|| {
    json!({
        "type": "product.updated",
        "object_version": 3,
        "data": {
            "status": "active", "title": "Día é 東京", "price": 1999, "rate": 0.5, "big": 1e300,
            "tags": ["a", "b", "red"], "sizes": [1, 2, 3], "empty": [], "none": null, "on": true,
            "brand": {"id": "b1", "name": "Ñandú", "deep": {"n": 7}},
            "lines": [{"sku": "x", "qty": 2}, {"sku": "y", "qty": 0}],
        },
        "previous": {"status": "draft"},
    })
});

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    Broken,
}

fn theirs(source: &str) -> Option<Said> {
    static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));
    let program = STANDARD.compile(source).ok()?;
    let mut context = Context::with_env(STANDARD.clone());
    context.add_variable_from_value("event", variable(&EVENT));
    Some(match program.execute(&context) {
        Ok(cel::Value::Bool(true)) => Said::Yes,
        Ok(cel::Value::Bool(false)) => Said::No,
        _ => Said::Broken,
    })
}

fn ours(source: &str) -> Option<Said> {
    Some(match Filter::compile(source).ok()?.verdict(&EVENT) {
        Verdict::Passes => Said::Yes,
        Verdict::Fails => Said::No,
        Verdict::Broken(_) => Said::Broken,
        Verdict::TooCostly => return None,
    })
}

/// An event as the crate's interpreter takes it.
fn variable(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(yes) => cel::Value::Bool(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => cel::Value::String(Arc::new(text.clone())),
        Json::Array(items) => cel::Value::List(Arc::new(items.iter().map(variable).collect())),
        Json::Object(members) => {
            let pair = |(name, value): (&String, &Json)| {
                (Key::String(Arc::new(name.clone())), variable(value))
            };
            let map = members.iter().map(pair).collect::<HashMap<_, _>>();
            cel::Value::Map(Map { map: Arc::new(map) })
        }
    }
}

const CORPUS: &[&str] = &[
    "event.data.status == 'active' && event.previous.status != 'active'",
    "event.data.price >= 1000 && event.data.price < 2000.5",
    "event.data.missing == 1 || true",
    "true || event.data.missing == 1",
    "false && event.data.missing == 1",
    "event.data.missing == 1 && false",
    "event.data.missing == 1 || false",
    "event.data.price || true",
    "event.data.price && false",
    "!event.data.on",
    "!event.data.price",
    "-event.data.price == -1999",
    "-event.data.rate < 0",
    "event.data.on ? event.data.price == 1999 : event.nothing",
    "event.data.none == null",
    "event.data.none.a == 1",
    "has(event.data.none.a)",
    "has(event.data.status) && !has(event.data.nothing)",
    "has(event.data.brand.deep.n)",
    "'a' in event.data.tags && !('z' in event.data.tags)",
    "'status' in event.data",
    "1 in event.data",
    "1.0 in event.data.sizes",
    "[1] in event.data",
    "'a' in 'abc'",
    "event.data.tags[0] == 'a' && event.data.tags[2.0] == 'red'",
    "event.data.tags[3] == 'a'",
    "event.data.tags[-1] == 'a'",
    "event.data.tags[1.5] == 'a'",
    "event.data.tags['0'] == 'a'",
    "event['data']['price'] == 1999",
    "event.data.tags.all(t, t.size() <= 3)",
    "event.data.tags.all(t, t > 1)",
    "event.data.lines.all(l, l.qty > 0)",
    "event.data.lines.exists(l, l.nothing || l.qty == 0)",
    "event.data.lines.exists(l, l.qty / 0 == 1)",
    "event.data.lines.all(l, 2 / l.qty == 1)",
    "event.data.lines.all(l, 4 / l.qty == 1)",
    "event.data.lines.exists(l, 2 / l.qty == 1)",
    "event.data.sizes.exists_one(s, s > 2)",
    "event.data.sizes.exists_one(s, s > 1)",
    "event.data.sizes.map(s, s * 2) == [2, 4, 6]",
    "event.data.sizes.map(s, s > 1, s * 2) == [4, 6]",
    "event.data.sizes.filter(s, s % 2 == 1) == [1, 3]",
    "event.data.sizes.map(s, event.data.sizes.map(t, s * t)).size() == 3",
    "event.data.sizes.map(event, event + 1) == [2, 3, 4]",
    "event.data.brand.map(k, k).size() == 3",
    "event.data.empty.all(e, e.nothing)",
    "event.data.empty.exists(e, e.nothing)",
    "event.data.price.all(e, true)",
    "size(event.data.title) == 8",
    "event.data.title.size() == 8 && size(event.data.brand) == 3 && size(event.data.tags) == 3",
    "size(event.data.price) == 1",
    "event.data.title.contains('é') && event.data.title.startsWith('Día')",
    "event.data.title.endsWith('京') && 'abc'.contains('')",
    "event.data.title.contains(1)",
    "event.data.status.matches('^act') && !event.data.status.matches('x+')",
    "matches(event.data.title, '[\\\\p{Han}]{2}')",
    "event.data.status.matches('(' + 'act|x)')",
    "event.data.status.matches('(' + '(')",
    "string(event.data.price) == '1999' && string(event.data.rate) == '0.5'",
    "string(true) == 'true' && string('a') == 'a' && string(b'a') == 'a'",
    "string(event.data.tags) == ''",
    "string(b'\\xff') == ''",
    "int('12') == 12 && int(12.9) == 12 && int(7u) == 7",
    "int('x') == 1 || int(1e300) == 1",
    "uint(3) == 3u && uint('4') == 4u && uint(-1) == 0u",
    "double('1.5') == 1.5 && double(2) == 2.0",
    "bool('true') && !bool('0')",
    "bool('maybe')",
    "bytes('a') == b'a' && b'a' + b'b' == b'ab' && size(b'abc') == 3",
    "type(event.data.price) == type(1) && type('a') != type(1)",
    "dyn(1) == 1.0 && 1 == 1u && 1u == 1.0 && 1 < 1.5 && 2u > 1",
    "-1 < 1u && 1u > -1",
    "1 + 1.0 == 2.0",
    "1u + 1 == 2u",
    "'a' + 1 == 'a1'",
    "9223372036854775807 + 1 > 0",
    "-9223372036854775808 < 0",
    "1 / 0 == 1 || 1 % 0 == 1",
    "1.0 / 0.0 > 1e308 && 7 % 3 == 1 && 7 / 2 == 3",
    "1.5 % 1.0 == 0.5",
    "'abc' < 'abd' && 'a' != 'A' && 'é' > 'z'",
    "'a' < 1",
    "true > false",
    "null < null",
    "[1, 2] == [1, 2.0] && [1] != [2] && [] == []",
    "[1, 2] + [3] == [1, 2, 3] && [1] + {'k': 1} == [1, 'k']",
    "[1] + 1 == [1, 1]",
    "[1, 2] < [3]",
    "{'a': 1, 2: 'b'} == {2u: 'b', 'a': 1.0}",
    "{'a': 1}['a'] == 1 && {1: 'x'}[1u] == 'x' && {1u: 'x'}[1.0] == 'x'",
    "{'a': 1}.a == 1 && has({'a': 1}.a) && !has({'a': 1}.b)",
    "{'a': 1, 'a': 2}.a == 1",
    "{1: 1, 1u: 2}.size() == 2",
    "{1.5: 1}.size() == 1",
    "{'a': 1}[[1]] == 1",
    "event.data == event.data && event.data.brand != event.data",
    "event.?data.?price.orValue(0) == 1999 && event.?nothing.?a.orValue(3) == 3",
    "event.data.?nothing.hasValue() || event.data.?status.hasValue()",
    "event.data.tags[?9].orValue('z') == 'z' && event.data.tags[?0].value() == 'a'",
    "event.data.?nothing.or(event.data.?status).value() == 'active'",
    "event.data.?nothing.value() == 1",
    "event.?data.price.hasValue()",
    "[?event.data.?nothing, 1] == [1] && {?'a': event.data.?nothing}.size() == 0",
    "event.data.price",
    "event.data.big > 1e299 && string(event.data.big).size() > 300",
    "'\\u00e9' == 'é' && r'\\n'.size() == 2 && \"\"\"a\"b\"\"\".size() == 3",
    "0x10 == 16 && 1e3 == 1000.0 && .5 == 0.5",
    "event.data.sizes.map(s, [s]).exists(l, l == [2])",
    "event.data.sizes.all(s, event.data.sizes.exists(t, t == s))",
];

#[test]
fn the_same_is_said_of_a_corpus() {
    let mut compared = 0;
    for source in CORPUS {
        let (ours, theirs) = (ours(source), theirs(source));
        assert_eq!(ours, theirs, "{source}");
        compared += usize::from(ours.is_some());
    }
    assert!(compared + 3 >= CORPUS.len(), "{compared} of {}", CORPUS.len());
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("event.data.status".to_owned()),
        Just("event.data.price".to_owned()),
        Just("event.data.rate".to_owned()),
        Just("event.data.tags".to_owned()),
        Just("event.data.sizes".to_owned()),
        Just("event.data.none".to_owned()),
        Just("event.data.brand".to_owned()),
        Just("event.data.lines".to_owned()),
        Just("event.data.missing".to_owned()),
        Just("event.previous".to_owned()),
        Just("x".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("'a'".to_owned()),
        Just("'é東'".to_owned()),
        Just("2u".to_owned()),
        Just("0.5".to_owned()),
        Just("b'a'".to_owned()),
        (-3_i64..4).prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop::sample::select(vec![
            "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "&&", "||", "in",
        ]);
        let function = prop::sample::select(vec![
            "size", "string", "int", "uint", "double", "bool", "bytes", "type", "dyn", "!", "-",
        ]);
        let method = prop::sample::select(vec!["contains", "startsWith", "endsWith", "matches"]);
        let each = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        prop_oneof![
            4 => (inner.clone(), operator, inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            2 => (function, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            1 => (inner.clone(), method, inner.clone())
                .prop_map(|(a, name, b)| format!("({a}).{name}({b})")),
            2 => (inner.clone(), each, inner.clone())
                .prop_map(|(a, name, b)| format!("({a}).{name}(x, {b})")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            1 => inner.clone().prop_map(|a| format!("({a}).name")),
            1 => inner.prop_map(|a| format!("has(({a}).id)")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: super::fuzz::cases(), ..ProptestConfig::default() })]
    #[test]
    fn the_same_is_said_of_what_chance_makes(inside in expression()) {
        // `x` is known everywhere, as the variable of a loop over one number.
        let source = format!("[2].all(x, {inside})");
        if let Some(ours) = ours(&source) {
            prop_assert_eq!(Some(ours), theirs(&source), "{}", source);
        }
    }
}
