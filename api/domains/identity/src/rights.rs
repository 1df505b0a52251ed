//! What a key has, and the one rule about giving it: nobody gives what they do not have. And how many
//! keys there may be, beside one another and one after the other.

use std::net::IpAddr;

use bodega_kernel::{FieldError, Id, Noun, Problem, Result, ScopeSet, Text, Tx, problem, text};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::identity::api_key::{Column, Entity, Model};
use ipnet::IpNet;
use sea_orm::{ColumnTrait, Condition, QueryFilter, Select};
use serde_json::Value;
use uuid::Uuid;

use crate::ApiKey;

/// Where a key's rights are asked for, so that a refusal points there.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    /// In the body: what a key is to have.
    InBody,
    /// By the path: what the key has already that is to be changed or replaced.
    OfKey,
}

/// What a key has.
pub(crate) struct Rights {
    scopes: ScopeSet,
    expires_at: Option<DateTime<Utc>>,
    /// Any address, where there are none.
    addresses: Vec<IpNet>,
    /// Any origin, where there are none.
    origins: Vec<String>,
    per_minute: i32,
    per_day: i32,
}

impl Rights {
    /// What a key has.
    pub(crate) fn of(row: &Model) -> Self {
        Self {
            scopes: ScopeSet::from_iter(texts(&row.scopes)),
            expires_at: row.expires_at,
            addresses: ranges(&row.allowed_ips),
            origins: texts(&row.allowed_origins),
            per_minute: row.per_minute,
            per_day: row.per_day,
        }
    }

    /// The same without limits of time and place.
    pub(crate) fn at_any_time_from_anywhere(self) -> Self {
        Self { expires_at: None, addresses: Vec::new(), origins: Vec::new(), ..self }
    }
}

/// The key that calls, as it is now; none where the program acts by itself, which may give anything.
pub(crate) async fn giver(tx: &Tx) -> Result<Option<Model>> {
    let Some(id) = &tx.actor.id else { return Ok(None) };
    let row = Entity::of(tx.organization)
        .filter(Entity::ID.eq(Id::<ApiKey>::parse(id)?.uuid()))
        .one(tx.db())
        .await?;
    let good = row.filter(|row| ended(row, tx.now).is_none());
    // It may have been ended by a line of this very batch.
    good.map(Some).ok_or_else(|| Problem::new(&problem::UNAUTHENTICATED))
}

/// How a key has ended, if it has.
pub(crate) fn ended(row: &Model, now: DateTime<Utc>) -> Option<&'static str> {
    match row.expires_at {
        _ if row.revoked_at.is_some() => Some("revoked"),
        Some(end) if end <= now => Some("expired"),
        _ => None,
    }
}

/// The keys of an organization that have not ended.
pub(crate) fn going_on(organization: Uuid, now: DateTime<Utc>) -> Select<Entity> {
    let later = Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now));
    Entity::of(organization).filter(Column::RevokedAt.is_null()).filter(later)
}

/// A key that was made by a key that was made by a key, and so on, has no more of them: each of its
/// calls is counted for all of them.
const GENERATIONS_MAX: usize = 8;

/// The ids that the calls of the keys it descends from are counted under, nearest first.
pub(crate) fn lineage(row: &Model) -> Vec<Uuid> {
    row.lineage.clone().and_then(|ids| serde_json::from_value(ids).ok()).unwrap_or_default()
}

/// What the calls of a key that this one makes are counted in beside its own.
pub(crate) fn descent(giver: &Model) -> Result<Value> {
    let mut line = vec![giver.counted_as_id.unwrap_or(giver.id)];
    line.extend(lineage(giver));
    if line.len() > GENERATIONS_MAX {
        return Err(Problem::new(&problem::LIMIT_REACHED)
            .with("limit", GENERATIONS_MAX)
            .with("of", "generations")
            .detail(text(
                format!("Keys make keys that make keys, but only {GENERATIONS_MAX} times over."),
                format!("Unas claves crean otras, pero sólo {GENERATIONS_MAX} veces seguidas."),
            )));
    }
    serde_json::to_value(&line).map_err(Problem::internal)
}

/// Checks that the organization may have one more key.
pub(crate) async fn room(tx: &Tx) -> Result<()> {
    let those = going_on(tx.organization, tx.now);
    tx.room_for(ApiKey::PLURAL, |numbers| numbers.api_keys, those).await
}

/// Checks that a key is neither at its end nor on its way there, and that whoever calls has all that
/// it has.
pub(crate) fn may_change(giver: Option<&Model>, row: &Model, now: DateTime<Utc>) -> Result<()> {
    let rotated = row.rotated_to_id.map(|_| "rotated");
    if let Some(state) = ended(row, now).or(rotated) {
        return Err(Problem::new(&problem::INVALID_TRANSITION)
            .with("from", state)
            .with("allowed", Vec::<String>::new()));
    }
    may_give(giver, row, Asked::OfKey)
}

/// Checks that whoever calls has all that a key is to have. The program itself may give anything.
pub(crate) fn may_give(giver: Option<&Model>, given: &Model, asked: Asked) -> Result<()> {
    giver.map_or(Ok(()), |giver| within(&Rights::of(giver), &Rights::of(given), asked))
}

/// Nobody gives what they do not have: no scope, no time, no address, no origin and no larger plan.
/// A version is nothing that one has: every key can ask for any.
pub(crate) fn within(giver: &Rights, given: &Rights, asked: Asked) -> Result<()> {
    if let Some(scope) = given.scopes.names().find(|scope| !giver.scopes.holds(scope)) {
        let detail = text(
            format!("A key cannot give the scope `{scope}` that it does not have."),
            format!("Una clave no puede dar el permiso `{scope}` que no tiene."),
        );
        return Err(Problem::new(&problem::INSUFFICIENT_SCOPE)
            .with("scope", scope)
            .detail(detail.clone())
            .at(asked.error("/scopes", "scope_not_held", detail)));
    }
    let too_much = [
        (
            !lasts_no_longer(given.expires_at, giver.expires_at),
            "/expires_at",
            "later_than_own_end",
            text(
                "is later than the calling key's own end",
                "es posterior al fin de la clave que llama",
            ),
        ),
        (
            !no_wider(&given.addresses, &giver.addresses, |given, own| contains(own, given)),
            "/allowed_ips",
            "address_not_held",
            text(
                "reaches beyond the addresses of the calling key",
                "va más allá de las direcciones de la clave que llama",
            ),
        ),
        (
            !no_wider(&given.origins, &giver.origins, |given, own| given == own),
            "/allowed_origins",
            "origin_not_held",
            text(
                "reaches beyond the origins of the calling key",
                "va más allá de los orígenes de la clave que llama",
            ),
        ),
        (
            given.per_minute > giver.per_minute || given.per_day > giver.per_day,
            "/plan",
            "larger_than_own_plan",
            text("is larger than the calling key's own", "es mayor que el de la clave que llama"),
        ),
    ];
    match too_much.into_iter().find(|(too_much, ..)| *too_much) {
        Some((_, pointer, code, detail)) => {
            Err(Problem::new(&problem::BEYOND_OWN_RIGHTS).at(asked.error(pointer, code, detail)))
        }
        None => Ok(()),
    }
}

impl Asked {
    fn error(self, pointer: &str, code: &'static str, detail: Text) -> FieldError {
        match self {
            Self::InBody => FieldError::body(pointer, code, detail),
            Self::OfKey => FieldError::new("path", "/id", code, detail),
        }
    }
}

fn lasts_no_longer(given: Option<DateTime<Utc>>, own: Option<DateTime<Utc>>) -> bool {
    own.is_none_or(|own| given.is_some_and(|given| given <= own))
}

/// Whether a list of what is allowed, where an empty one allows all, allows no more than another.
fn no_wider<T>(given: &[T], own: &[T], within: impl Fn(&T, &T) -> bool) -> bool {
    let held = |given: &T| own.iter().any(|own| within(given, own));
    own.is_empty() || (!given.is_empty() && given.iter().all(held))
}

fn contains(own: &IpNet, given: &IpNet) -> bool {
    own.contains(given)
}

/// The ranges of a list, an IPv4 address in IPv6 clothes (`::ffff:203.0.113.7`) being what it stands
/// for: that is how callers are known. One that cannot be read keeps everyone out rather than letting
/// everyone in.
pub(crate) fn ranges(json: &Value) -> Vec<IpNet> {
    let nobody = IpNet::from(IpAddr::from([0, 0, 0, 0]));
    texts(json).iter().map(|text| range(text).unwrap_or(nobody)).collect()
}

/// `::ffff:0:0/96`, where IPv6 keeps the addresses of IPv4.
const MAPPED_BITS: u8 = 96;

fn range(text: &str) -> Option<IpNet> {
    let net: IpNet = text.parse().ok().or_else(|| text.parse().ok().map(|ip: IpAddr| ip.into()))?;
    let IpNet::V6(v6) = net else { return Some(net) };
    let mapped = v6.prefix_len().checked_sub(MAPPED_BITS).zip(v6.addr().to_ipv4_mapped());
    match mapped {
        Some((bits, v4)) => IpNet::new(v4.into(), bits).ok(),
        None => Some(net),
    }
}

fn texts(json: &Value) -> Vec<String> {
    let items = json.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn addresses(given: Value, own: Value) -> bool {
        no_wider(&ranges(&given), &ranges(&own), |given, own| contains(own, given))
    }

    #[test]
    fn addresses_lie_within_addresses() {
        for (given, own) in [
            (json!([]), json!([])),
            (json!(["10.0.0.1"]), json!([])),
            (json!(["10.0.0.1"]), json!(["10.0.0.0/8"])),
            (json!(["10.0.0.0/9", "192.0.2.7"]), json!(["192.0.2.0/24", "10.0.0.0/8"])),
            (json!(["::ffff:10.0.0.1"]), json!(["10.0.0.0/8"])),
            (json!(["::ffff:a00:0/104"]), json!(["10.0.0.0/8"])),
            (json!(["10.1.0.0/16"]), json!(["::ffff:a00:0/104"])),
            (json!(["2001:db8:1::/48"]), json!(["2001:db8::/32"])),
        ] {
            assert!(addresses(given.clone(), own.clone()), "{given} within {own}");
        }
        for (given, own) in [
            (json!([]), json!(["10.0.0.0/8"])),
            (json!(["10.0.0.0/7"]), json!(["10.0.0.0/8"])),
            (json!(["10.0.0.1", "11.0.0.1"]), json!(["10.0.0.0/8"])),
            (json!(["0.0.0.0/0"]), json!(["10.0.0.0/8", "0.0.0.0/1"])),
            (json!(["::ffff:11.0.0.1"]), json!(["10.0.0.0/8"])),
            (json!(["::/0"]), json!(["0.0.0.0/0"])),
            (json!(["10.0.0.1"]), json!(["2001:db8::/32"])),
        ] {
            assert!(!addresses(given.clone(), own.clone()), "{given} within {own}");
        }
    }

    #[test]
    fn a_key_outlives_nobody_who_made_it() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        assert!(lasts_no_longer(None, None) && lasts_no_longer(at(9), None));
        assert!(lasts_no_longer(at(9), at(9)) && lasts_no_longer(at(8), at(9)));
        assert!(!lasts_no_longer(None, at(9)) && !lasts_no_longer(at(10), at(9)));
    }
}
