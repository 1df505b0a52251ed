//! The audit log is kept for as long as the operator has set: for ever, where nothing is set.

use bodega_kernel::{Platform, Result, Retention};
use sea_orm::{ConnectionTrait, Statement};

/// Rows erased in one statement, so that nobody waits for it.
const PIECE: i64 = 1_000;

/// Statements in one run; the rest waits for the next.
const PIECES_MAX: usize = 500;

/// Removes from the audit log what is kept no longer; says how many rows.
pub async fn purge_audit(platform: &Platform) -> Result<u64> {
    let days = Retention::of(platform).audit_days;
    let Some(before) = Retention::before(platform.clock.now(), days) else { return Ok(0) };
    let sql = "DELETE FROM audit_entry WHERE id IN (\
               SELECT id FROM audit_entry WHERE created_at < $1 LIMIT $2)";
    let (db, mut removed) = (&platform.db, 0);
    for _ in 0..PIECES_MAX {
        let values = [before.into(), PIECE.into()];
        let statement = Statement::from_sql_and_values(db.backend(), sql, values);
        let gone = db.writer().execute_raw(statement).await?.rows_affected();
        removed += gone;
        if gone < PIECE.unsigned_abs() {
            break;
        }
        // Others write in between.
        tokio::task::yield_now().await;
    }
    Ok(removed)
}
