//! Hears of what other nodes and the command line have changed, so that caches here forget it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bodega_identity::Keyring;
use bodega_kernel::Platform;
use entity::platform::setting;
use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ColumnTrait, DbBackend, DbErr, EntityTrait, QueryFilter};

/// SQLite tells nobody of a change, so the few rows that say "changed" are looked at this often.
const POLL: Duration = Duration::from_millis(100);
const RECONNECT: Duration = Duration::from_secs(1);

/// Listens for as long as the program runs.
pub(crate) async fn listen(platform: Arc<Platform>, keyring: Arc<Keyring>) {
    loop {
        let heard = match platform.db.backend() {
            DbBackend::Postgres => notified(&platform, &keyring).await.map_err(|e| e.to_string()),
            _ => polled(&platform, &keyring).await.map_err(|e| e.to_string()),
        };
        // Until the line is back nothing is remembered, so a revoked key is refused all the same.
        keyring.informed(false);
        if let Err(error) = heard {
            tracing::warn!(error, "cannot hear of changes made elsewhere; trying again");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn notified(platform: &Platform, keyring: &Keyring) -> Result<(), sea_orm::sqlx::Error> {
    let pool = platform.db.reader().get_postgres_connection_pool();
    let mut listener = PgListener::connect_with(pool).await?;
    // A lost line must be noticed here, not mended behind our back.
    listener.eager_reconnect(false);
    listener.listen("bodega_signal").await?;
    keyring.informed(true);
    while let Some(news) = listener.try_recv().await? {
        platform.signals.raise(news.payload());
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the platform's own rows")]
async fn polled(platform: &Platform, keyring: &Keyring) -> Result<(), DbErr> {
    let topics = platform.signals.topics();
    let names: Vec<String> = topics.iter().map(|topic| format!("signal:{topic}")).collect();
    let mut seen: Option<HashMap<String, String>> = None;
    loop {
        let rows = setting::Entity::find()
            .filter(setting::Column::Name.is_in(names.iter().map(String::as_str)))
            .all(platform.db.reader())
            .await?;
        let now: HashMap<_, _> = rows.into_iter().map(|row| (row.name, row.value)).collect();
        if let Some(seen) = &seen {
            for (name, topic) in names.iter().zip(&topics) {
                if now.get(name) != seen.get(name) {
                    platform.signals.raise(topic);
                }
            }
        }
        seen = Some(now);
        keyring.informed(true);
        tokio::time::sleep(POLL).await;
    }
}
