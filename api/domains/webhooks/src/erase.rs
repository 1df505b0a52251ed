//! What is kept goes away: what was sent and answered after the endpoint's days, the rest after the
//! days that the operator has set. In pieces, so that nobody waits for it.

use bodega_kernel::{Platform, Result, Retention};
use bodega_worker::Stop;
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, Statement};

/// Rows erased in one statement.
const PIECE: i64 = 1_000;

/// Statements in one run; the rest waits for the next.
const PIECES_MAX: usize = 500;

/// Payloads of attempts and samples whose endpoint keeps them no longer.
const PAYLOADS: [&str; 2] = [
    "UPDATE webhook_attempt SET response_body = NULL, response_headers = '{}', address = NULL \
     WHERE id IN (SELECT attempt.id FROM webhook_attempt AS attempt \
     JOIN webhook_endpoint AS endpoint ON endpoint.id = attempt.endpoint_id \
     WHERE endpoint.payload_days = $3 AND attempt.created_at < $1 \
     AND attempt.response_body IS NOT NULL LIMIT $2)",
    "UPDATE webhook_delivery SET payload = NULL \
     WHERE id IN (SELECT delivery.id FROM webhook_delivery AS delivery \
     JOIN webhook_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id \
     WHERE endpoint.payload_days = $3 AND delivery.created_at < $1 \
     AND delivery.payload IS NOT NULL LIMIT $2)",
];

/// Whole rows. An event is kept as long as something is to be sent of it.
const ROWS: [&str; 3] = [
    "DELETE FROM webhook_attempt WHERE id IN (\
     SELECT id FROM webhook_attempt WHERE created_at < $1 LIMIT $2)",
    "DELETE FROM webhook_delivery WHERE id IN (\
     SELECT id FROM webhook_delivery WHERE created_at < $1 AND state <> 'pending' LIMIT $2)",
    "DELETE FROM event WHERE id IN (\
     SELECT id FROM event WHERE created_at < $1 AND sequence IS NOT NULL AND NOT EXISTS (\
     SELECT 1 FROM webhook_delivery WHERE webhook_delivery.organization_id = event.organization_id \
     AND webhook_delivery.event_id = event.id AND webhook_delivery.state = 'pending') LIMIT $2)",
];

/// Erases what is kept no longer.
pub async fn erase(platform: &Platform, stop: &Stop) -> Result<()> {
    let now = bodega_kernel::micros(platform.clock.now());
    let kept = Retention::of(platform);
    let before = |days: i64| sea_orm::Value::from(now - TimeDelta::days(days));
    let db = &platform.db;
    let days = "SELECT DISTINCT payload_days FROM webhook_endpoint WHERE payload_days < $1";
    let rows_days = i64::from(Ord::max(kept.attempts_days, kept.deliveries_days));
    let days = Statement::from_sql_and_values(db.backend(), days, [rows_days.into()]);
    for row in db.reader().query_all_raw(days).await? {
        let days: i32 = row.try_get("", "payload_days")?;
        for sql in PAYLOADS {
            pieces(platform, stop, sql, vec![before(days.into()), PIECE.into(), days.into()])
                .await?;
        }
    }
    let days = [kept.attempts_days, kept.deliveries_days, kept.events_days];
    for (sql, days) in ROWS.into_iter().zip(days) {
        pieces(platform, stop, sql, vec![before(days.into()), PIECE.into()]).await?;
    }
    Ok(())
}

async fn pieces(
    platform: &Platform,
    stop: &Stop,
    sql: &str,
    values: Vec<sea_orm::Value>,
) -> Result<()> {
    let db = &platform.db;
    for _ in 0..PIECES_MAX {
        let statement = Statement::from_sql_and_values(db.backend(), sql, values.clone());
        let gone = db.writer().execute_raw(statement).await?.rows_affected();
        if stop.is_set() || gone < PIECE.unsigned_abs() {
            return Ok(());
        }
        // Others write in between.
        tokio::task::yield_now().await;
    }
    Ok(())
}
