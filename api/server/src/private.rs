//! The data folder and the files of the database are their owner's alone, whoever starts the program
//! and whatever its umask: they hold the secrets of keys and endpoints.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;

const FOLDER_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;
/// What the group and all others may do.
const OTHERS: u32 = 0o077;
/// A folder that everybody shares, such as `/tmp`, stays shared.
const STICKY: u32 = 0o1000;

/// What SQLite puts beside its file.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// Makes the data folder, or takes it from all but its owner.
pub(crate) fn folder(path: &Path) -> Result<(), String> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
        .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    tighten(path, FOLDER_MODE);
    Ok(())
}

/// Makes the file of an embedded database where it may be made, before SQLite does: what SQLite then
/// puts beside it gets the same mode. Other databases are no files.
pub(crate) fn database(url: &str) -> Result<(), String> {
    let Some(path) = database_file(url) else { return Ok(()) };
    if url.contains("mode=rwc") {
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(FILE_MODE).open(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("cannot make {}: {error}", path.display()));
            }
            _ => {}
        }
    }
    for suffix in BESIDE {
        tighten(&beside(&path, suffix), FILE_MODE);
    }
    Ok(())
}

/// The file of an embedded database; `None` for a server, and for one in memory.
pub(crate) fn database_file(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    let options: SqliteConnectOptions = url.parse().ok()?;
    Some(options.get_filename().to_owned())
}

/// `bodega.db` and `-wal` are `bodega.db-wal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Takes from group and others what they may do. What belongs to somebody else, or cannot be changed
/// where it lies, is left as it is: the program works, and its operator is told.
fn tighten(path: &Path, mode: u32) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let now = metadata.mode();
    if now & OTHERS == 0 || now & STICKY != 0 {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
        let path = path.display();
        tracing::warn!(%error, "{path} can be read by others, and could not be made private");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").mode() & 0o7777
    }

    #[test]
    fn only_the_owner_gets_at_the_data() {
        let above = tempfile::tempdir().expect("a folder");
        let data = above.path().join("made/here");
        folder(&data).expect("a folder");
        assert_eq!(mode(&data), 0o700);
        fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("a mode");
        folder(&data).expect("the same folder");
        assert_eq!(mode(&data), 0o700);

        let file = data.join("shop.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        for old in [0o600, 0o644, 0o666] {
            database(&url).expect("a file");
            fs::set_permissions(&file, Permissions::from_mode(old)).expect("a mode");
            fs::write(beside(&file, "-wal"), "").expect("a file");
            fs::set_permissions(beside(&file, "-wal"), Permissions::from_mode(old))
                .expect("a mode");
            database(&url).expect("the same file");
            assert_eq!((mode(&file), mode(&beside(&file, "-wal"))), (0o600, 0o600));
        }
    }

    #[test]
    fn what_is_shared_by_all_stays_shared() {
        let shared = tempfile::tempdir().expect("a folder");
        fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).expect("a mode");
        folder(shared.path()).expect("the same folder");
        assert_eq!(mode(shared.path()), 0o1777);
    }

    #[test]
    fn only_embedded_databases_are_files() {
        let file = |url| database_file(url).map(|path| path.display().to_string());
        assert_eq!(file("sqlite:///data/bodega.db?mode=rwc").as_deref(), Some("/data/bodega.db"));
        assert_eq!(file("sqlite://here.db").as_deref(), Some("here.db"));
        for none in ["sqlite::memory:", "sqlite://x?mode=memory", "postgres://host/shop"] {
            assert_eq!(file(none), None, "{none}");
        }
    }
}
