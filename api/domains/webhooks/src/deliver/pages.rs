//! Which deliveries of an endpoint are next.

use std::collections::HashMap;

use bodega_kernel::{Platform, Result};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::webhooks::webhook_delivery::{self, Column, Model};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};
use uuid::Uuid;

use crate::webhook_delivery::pending;
use entity::webhooks::webhook_endpoint::Ordering;

/// Deliveries read at once.
const PAGE: u64 = 256;

/// Objects whose events are sent side by side, and events of them read at once.
const OBJECTS: i64 = 128;
const IN_ORDER: u64 = 512;

/// Where a page goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct After(Option<(DateTime<Utc>, Uuid)>);

impl After {
    pub(super) fn of(delivery: &Model) -> Self {
        Self(Some((delivery.due_at, delivery.id)))
    }
}

/// What is due, the oldest first.
pub(super) async fn due(
    platform: &Platform,
    endpoint: Uuid,
    now: DateTime<Utc>,
    after: &After,
) -> Result<Vec<Model>> {
    let mut query = webhook_delivery::Entity::of_every_organization()
        .filter(pending(endpoint))
        .filter(Column::DueAt.lte(now));
    if let Some((due_at, id)) = after.0 {
        // The first condition alone would do, but only it is one that an index understands.
        query = query
            .filter(Column::DueAt.gte(due_at))
            .filter(Condition::any().add(Column::DueAt.gt(due_at)).add(Column::Id.gt(id)));
    }
    let ordered = query.order_by_asc(Column::DueAt).order_by_asc(Column::Id).limit(PAGE);
    Ok(ordered.all(platform.db.reader()).await?)
}

/// When the next one is due; the past, if it is already.
pub(super) async fn next_due(
    platform: &Platform,
    endpoint: Uuid,
    ordering: Ordering,
) -> Result<Option<DateTime<Utc>>> {
    if ordering == Ordering::PerObject {
        let heads = heads(platform, endpoint, None).await?;
        return Ok(heads.iter().map(|head| head.due_at).min());
    }
    let found: Option<DateTime<Utc>> = webhook_delivery::Entity::of_every_organization()
        .filter(pending(endpoint))
        .order_by_asc(Column::DueAt)
        .select_only()
        .column(Column::DueAt)
        .into_tuple()
        .one(platform.db.reader())
        .await?;
    Ok(found)
}

/// One delivery to try an endpoint with: the oldest of those that were tried least, because the
/// receiver may be well and only one of them ill.
pub(super) async fn head(
    platform: &Platform,
    endpoint: Uuid,
    ordering: Ordering,
) -> Result<Option<Model>> {
    if ordering == Ordering::PerObject {
        let heads = heads(platform, endpoint, None).await?;
        return Ok(heads.into_iter().min_by_key(|head| (head.attempts, head.sequence, head.id)));
    }
    Ok(webhook_delivery::Entity::of_every_organization()
        .filter(pending(endpoint))
        .order_by_asc(Column::Attempts)
        .order_by_asc(Column::Sequence)
        .order_by_asc(Column::Id)
        .one(platform.db.reader())
        .await?)
}

/// What is due in order: for each object whose first waiting event is due, its waiting events.
pub(super) async fn chains(
    platform: &Platform,
    endpoint: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Vec<Model>>> {
    let heads = heads(platform, endpoint, Some(now)).await?;
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let objects: Vec<String> = heads.iter().map(|head| head.object_id.clone()).collect();
    let all = webhook_delivery::Entity::of_every_organization()
        .filter(pending(endpoint))
        .filter(Column::ObjectId.is_in(objects))
        .order_by_asc(Column::Sequence)
        .order_by_asc(Column::Id)
        .limit(IN_ORDER)
        .all(platform.db.reader())
        .await?;
    Ok(by_object(all))
}

/// The first waiting delivery of each object, those that are due first.
async fn heads(
    platform: &Platform,
    endpoint: Uuid,
    due: Option<DateTime<Utc>>,
) -> Result<Vec<Model>> {
    let db = &platform.db;
    let until = if due.is_some() { "AND head.due_at <= $3" } else { "" };
    let sql = format!(
        "SELECT head.* FROM webhook_delivery AS head \
         WHERE head.endpoint_id = $1 AND head.state = 'pending' {until} AND NOT EXISTS (\
         SELECT 1 FROM webhook_delivery AS earlier \
         WHERE earlier.endpoint_id = $1 AND earlier.state = 'pending' \
         AND earlier.object_id = head.object_id AND (earlier.sequence < head.sequence \
         OR (earlier.sequence = head.sequence AND earlier.id < head.id))) \
         ORDER BY head.due_at, head.id LIMIT $2"
    );
    let mut values: Vec<sea_orm::Value> = vec![endpoint.into(), OBJECTS.into()];
    values.extend(due.map(sea_orm::Value::from));
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let rows = db.reader().query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(Model::from_query_result(row, "")?)).collect()
}

/// Deliveries by object, each in order.
fn by_object(deliveries: Vec<Model>) -> Vec<Vec<Model>> {
    let mut chains: Vec<Vec<Model>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for delivery in deliveries {
        let place = *places.entry(delivery.object_id.clone()).or_insert_with(|| {
            chains.push(Vec::new());
            chains.len() - 1
        });
        if let Some(chain) = chains.get_mut(place) {
            chain.push(delivery);
        }
    }
    chains
}
