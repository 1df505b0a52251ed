//! `bodega restore`: puts a backup in the place of the embedded database, whole or not at all.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend, DbErr, Statement};

use super::backup::{create, settle};
use crate::checks::{self, Whole};
use crate::config::Config;
use crate::private::{self, beside};

const POSTGRES: &str = "the database is PostgreSQL, which restores its own backups. While no Bodega \
    runs, into an empty database:\n  \
    pg_restore --exit-on-error --no-owner --dbname=DATABASE_URL FILE\n\
    Then `bodega doctor` checks what was restored.";

/// What the database that was there before is called afterwards.
const BEFORE: &str = ".before-restore";

/// Verifies a backup and, unless it is only to be checked, makes it the database.
pub(crate) async fn restore(
    config: &Config,
    file: &Path,
    force: bool,
    check: bool,
) -> Result<(), String> {
    let url = config.database_address();
    if check {
        println!("{}: whole ({})", file.display(), verified(config, file).await?);
        return Ok(());
    }
    if !url.starts_with("sqlite:") {
        return Err(POSTGRES.to_owned());
    }
    let database = private::database_file(&url).ok_or("the database is only in memory")?;
    if config.database_url.is_none() {
        private::folder(&config.data_dir)?;
    }
    let holds = |path: &Path| fs::metadata(path).is_ok_and(|file| file.len() > 0);
    let there = holds(&database);
    if there {
        let shown = database.display();
        if !force {
            return Err(format!("{shown} holds data; --force keeps it aside and replaces it"));
        }
        alone(&database).await?;
    }
    let part = beside(&database, ".restoring");
    let copied = copy(config, file, &part).await;
    let placed = copied.and_then(|whole| {
        place(&part, &database, there).map_err(|error| format!("not restored: {error}"))?;
        Ok(whole)
    });
    if placed.is_err() {
        let _ = fs::remove_file(&part);
    }
    println!("{}: restored ({})", database.display(), placed?);
    if there {
        println!("{}: what was there before", beside(&database, BEFORE).display());
    }
    Ok(())
}

async fn verified(config: &Config, file: &Path) -> Result<Whole, String> {
    let opened = checks::open_file(file).await?;
    let whole = checks::whole(&opened, &config.retention()).await;
    opened.close().await.map_err(|error| error.to_string())?;
    whole
}

/// Copies the backup beside the database and verifies the copy, which is what will be used.
async fn copy(config: &Config, file: &Path, part: &Path) -> Result<Whole, String> {
    let copied = fs::File::open(file).and_then(|mut from| {
        let mut to = create(part)?;
        std::io::copy(&mut from, &mut to)?;
        to.sync_all()
    });
    copied.map_err(|error| format!("cannot copy {}: {error}", file.display()))?;
    verified(config, part).await
}

/// Fails where a program has the database open. SQLite leaves its log of changes only when nobody else
/// has the file open; what was in that log is then in the file.
async fn alone(database: &Path) -> Result<(), String> {
    let left = leave_log(database).await;
    match left {
        Ok(mode) if mode == "delete" => Ok(()),
        Err(error) if damaged(&error) => {
            // That may be why it is restored.
            println!("what is there cannot be opened ({error}), and is kept as it is");
            Ok(())
        }
        Ok(_) | Err(_) => {
            let shown = database.display();
            Err(format!("a program has {shown} open: stop every `bodega` on it first"))
        }
    }
}

async fn leave_log(database: &Path) -> Result<String, DbErr> {
    let (path, mut options) = (database.to_owned(), ConnectOptions::new("sqlite://file?mode=rw"));
    options.max_connections(1).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |sqlite| sqlite.filename(&path).busy_timeout(Duration::ZERO));
    let opened = sea_orm::Database::connect(options).await?;
    let leave = Statement::from_string(DbBackend::Sqlite, "PRAGMA journal_mode = DELETE");
    let row = opened.query_one_raw(leave).await;
    let mode = row.and_then(|row| row.map_or(Ok(String::new()), |row| row.try_get_by_index(0)));
    opened.close().await?;
    mode
}

/// SQLITE_CORRUPT and SQLITE_NOTADB.
fn damaged(error: &DbErr) -> bool {
    use sea_orm::RuntimeErr::SqlxError;
    let (DbErr::Conn(SqlxError(cause))
    | DbErr::Exec(SqlxError(cause))
    | DbErr::Query(SqlxError(cause))) = error
    else {
        return false;
    };
    let code = cause.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

/// At no instant is there no database, and never one with the log of changes of another.
fn place(part: &Path, database: &Path, there: bool) -> std::io::Result<()> {
    let before = beside(database, BEFORE);
    if there {
        for suffix in ["", "-wal", "-shm"] {
            unless_missing(fs::remove_file(beside(&before, suffix)))?;
        }
        fs::hard_link(database, &before)?;
    }
    for suffix in ["-wal", "-shm"] {
        unless_missing(fs::rename(beside(database, suffix), beside(&before, suffix)))?;
    }
    settle(part, database)
}

pub(super) fn unless_missing(done: std::io::Result<()>) -> std::io::Result<()> {
    done.or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}
