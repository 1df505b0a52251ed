//! What must hold of every database at any time: each change has its event and its audit row.

use std::collections::{BTreeMap, HashMap};

use bodega_tests::Server;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement, TryGetableMany};
use uuid::Uuid;

/// The tables of objects that have versions and events.
const TABLES: [&str; 10] = [
    "organization",
    "api_key",
    "trusted_document",
    "brand",
    "category",
    "collection",
    "product",
    "variant",
    "price",
    "webhook_endpoint",
];

/// The rows that a query gives.
pub async fn rows<T: TryGetableMany>(server: &Server, sql: &str) -> Vec<T> {
    try_rows(&server.database().await, sql).await.expect(sql)
}

/// The same, from a database that may not have the tables yet.
pub async fn try_rows<T: TryGetableMany>(
    database: &DatabaseConnection,
    sql: &str,
) -> Result<Vec<T>, DbErr> {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await?;
    rows.iter().map(|row| T::try_get_many_by_index(row).map_err(Into::into)).collect()
}

/// Checks objects, events and audit rows against one another; says how many changes there were.
pub async fn check(server: &Server) -> usize {
    let mut objects: HashMap<Uuid, (&str, i64)> = HashMap::new();
    for table in TABLES {
        let all = rows::<(Uuid, i64)>(server, &format!("SELECT id, version FROM {table}")).await;
        objects.extend(all.into_iter().map(|(id, version)| (id, (table, version))));
    }
    let events: Vec<(String, i64, String, Uuid, Uuid)> = rows(
        server,
        "SELECT object_id, object_version, type, request_id, organization_id FROM event",
    )
    .await;
    let audit: Vec<(String, Uuid, Uuid)> =
        rows(server, "SELECT object_id, request_id, organization_id FROM audit_entry").await;
    let whose: HashMap<&str, Uuid> =
        events.iter().map(|(object, .., organization)| (object.as_str(), *organization)).collect();

    // As many of the one as of the other, an object and a request. Whoever founds an organization is
    // told so in their own audit log as well: those rows are beside the count.
    let mut balance: HashMap<(&str, Uuid), i64> = HashMap::new();
    for (object, _, _, request, _) in &events {
        *balance.entry((object, *request)).or_default() += 1;
    }
    for (object, request, organization) in &audit {
        if whose.get(object.as_str()).is_none_or(|owner| owner == organization) {
            *balance.entry((object, *request)).or_default() -= 1;
        }
    }
    balance.retain(|_, more| *more != 0);
    assert!(balance.is_empty(), "events without audit rows, or the other way: {balance:?}");

    let mut histories: HashMap<Uuid, BTreeMap<i64, &str>> = HashMap::new();
    for (object, version, kind, ..) in &events {
        let history = histories.entry(uuid_of(object)).or_default();
        let before = history.insert(*version, kind);
        assert!(before.is_none(), "two events for version {version} of {object}");
    }
    let mut wrong = Vec::new();
    for (object, history) in &histories {
        let first = history.first_key_value().is_some_and(|(_, kind)| kind.ends_with(".created"));
        let gapless = history.keys().copied().eq(1..=history.len() as i64);
        let gone = history.last_key_value().is_some_and(|(_, kind)| kind.ends_with(".deleted"));
        let there = objects.get(object).map(|(_, version)| *version);
        let expected = (!gone).then_some(history.len() as i64);
        if !first || !gapless || there != expected {
            wrong.push((*object, there, history));
        }
    }
    assert!(wrong.is_empty(), "histories that do not fit their object: {wrong:?}");
    let silent: Vec<_> = objects.iter().filter(|(id, _)| !histories.contains_key(id)).collect();
    assert!(silent.is_empty(), "objects without an event: {silent:?}");
    events.len()
}

/// Crockford's base32, in which a TypeID writes its UUID.
const DIGITS: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// The TypeID of a UUID, written here by itself.
pub fn id_of(prefix: &str, id: Uuid) -> String {
    let digit = |place: u32| ((id.as_u128() >> (5 * place)) & 31) as usize;
    let digits = (0..26).rev().map(|place| DIGITS.as_bytes()[digit(place)] as char);
    format!("{prefix}_{}", digits.collect::<String>())
}

/// A TypeID's UUID, read here by itself.
pub fn uuid_of(id: &str) -> Uuid {
    let (_, digits) = id.rsplit_once('_').expect("a TypeID");
    let value = digits.chars().fold(0_u128, |value, digit| {
        (value << 5) | DIGITS.find(digit).expect("a digit of base32") as u128
    });
    Uuid::from_u128(value)
}
