//! Runs the migrations: one node at a time on PostgreSQL.

use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteAutoVacuum, SqliteJournalMode};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr};

use crate::private;

/// Any number, the same in every node.
const LOCK: i64 = 0x0062_6f64_6567_6100;

/// Runs what is missing.
pub(crate) async fn up(url: &str) -> Result<(), String> {
    run(url).await.map_err(|error| format!("the migrations did not run: {error}"))
}

async fn run(url: &str) -> Result<(), DbErr> {
    // One connection, because the lock belongs to the session that took it.
    let connection = connect(url).await?;
    let postgres = connection.get_database_backend() == DbBackend::Postgres;
    if postgres {
        connection.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})")).await?;
    }
    let done = Migrator::up(&connection, None).await;
    if postgres {
        connection.execute_unprepared(&format!("SELECT pg_advisory_unlock({LOCK})")).await?;
    }
    connection.close().await?;
    done
}

/// The names of the steps that have not run.
pub(crate) async fn pending(url: &str) -> Result<Vec<String>, DbErr> {
    let connection = connect(url).await?;
    let pending = Migrator::get_pending_migrations(&connection).await?;
    connection.close().await?;
    Ok(pending.iter().map(|step| step.name().to_owned()).collect())
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    let fresh = private::database_file(url)
        .is_some_and(|file| std::fs::metadata(file).map_or(true, |file| file.len() == 0));
    options.max_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(move |sqlite| {
        // Set while the file is made, so that it is right from the first page on: what is erased later
        // gives its room back. Said again, it would be a change at every start.
        let sqlite = match fresh {
            true => sqlite.auto_vacuum(SqliteAutoVacuum::Incremental),
            false => sqlite,
        };
        sqlite.journal_mode(SqliteJournalMode::Wal)
    });
    sea_orm::Database::connect(options).await
}
