//! `bodega backup`: a copy of the embedded database as it is at one instant, made while others write,
//! and believed only after it was read.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::checks::{self, Whole};
use crate::config::Config;
use crate::private;

const POSTGRES: &str = "the database is PostgreSQL, which has backups of its own. One copy:\n  \
    pg_dump --format=custom --file=FILE DATABASE_URL\n\
    To be able to go back to any instant, archive its log as well (\"Continuous Archiving and \
    Point-in-Time Recovery\" in its manual). `bodega doctor` checks what was restored.";

/// Writes a copy to a file that is not there yet.
pub(crate) async fn backup(config: &Config, file: &Path) -> Result<(), String> {
    let url = config.database_address();
    if !url.starts_with("sqlite:") {
        return Err(POSTGRES.to_owned());
    }
    let database = private::database_file(&url).filter(|database| database.exists());
    database.ok_or_else(|| format!("there is no database at {url}"))?;
    if file.exists() {
        return Err(format!("{} is there already", file.display()));
    }
    // What is not whole never has the name that was asked for.
    let part = private::beside(file, ".part");
    let written = write(config, &url, &part).await;
    let written = written.and_then(|whole| {
        settle(&part, file).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        Ok(whole)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    let (bytes, whole) = (fs::metadata(file).map_or(0, |file| file.len()), written?);
    println!("{}: {bytes} bytes, read again and whole ({whole})", file.display());
    Ok(())
}

async fn write(config: &Config, url: &str, part: &Path) -> Result<Whole, String> {
    private::database(url)?;
    // SQLite writes into an empty file: this one is its owner's alone from the beginning.
    create(part).map_err(|error| format!("cannot write {}: {error}", part.display()))?;
    let source = checks::open(url).await?;
    let tables = copy(&source, part).await.map_err(|error| format!("no copy was made: {error}"))?;
    source.close().await.map_err(|error| error.to_string())?;
    let copied = checks::open_file(part).await?;
    let whole = checks::whole(&copied, &config.retention()).await?;
    let found = checks::number(&copied, TABLES, Vec::new()).await;
    copied.close().await.map_err(|error| error.to_string())?;
    match found {
        Ok(found) if found == tables => Ok(whole),
        Ok(found) => Err(format!("the copy has {found} tables of {tables}")),
        Err(error) => Err(format!("the copy cannot be read: {error}")),
    }
}

const TABLES: &str = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'";

/// Copies what one reader sees: others go on writing meanwhile. Says how many tables there are.
async fn copy(source: &sea_orm::DatabaseConnection, part: &Path) -> Result<i64, DbErr> {
    let tables = checks::number(source, TABLES, Vec::new()).await?;
    // The copy of a file that was made before room could be given back can do so.
    if checks::number(source, "PRAGMA auto_vacuum", Vec::new()).await? == 0 {
        source.execute_unprepared("PRAGMA auto_vacuum = INCREMENTAL").await?;
    }
    let target =
        part.to_str().ok_or_else(|| DbErr::Custom("a name in UTF-8, please".to_owned()))?;
    let values = [target.into()];
    source
        .execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", values))
        .await?;
    Ok(tables)
}

/// An empty file of its owner's alone; what an earlier run left is replaced.
pub(super) fn create(file: &Path) -> std::io::Result<File> {
    super::restore::unless_missing(fs::remove_file(file))?;
    OpenOptions::new().write(true).create_new(true).mode(private::FILE_MODE).open(file)
}

/// Gives a file its name once its bytes are on the disk, then makes the name last too.
pub(super) fn settle(part: &Path, file: &Path) -> std::io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, file)?;
    folder_of(file).and_then(|folder| folder.sync_all())
}

fn folder_of(file: &Path) -> std::io::Result<File> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
}
