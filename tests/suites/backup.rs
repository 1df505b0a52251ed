//! Backups of a running program, and that they can be gone back to.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bodega_tests::{Api, Db, Server, Setup, both};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use crate::ledger;

both!(a_doctor_finds_what_is_lost);

fn said(output: &Output) -> String {
    let (out, errors) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(errors))
}

/// Makes brands until it is ended; the ids of those that were answered.
async fn make_brands(number: usize, api: Api, made: Arc<Mutex<Vec<String>>>) {
    for step in 0.. {
        let body =
            json!({ "name": format!("Backup {number}-{step}"), "description": "x".repeat(500) });
        let answer = api.call("POST", "/v1/brands").json(&body).send().await;
        if answer.status != 503 {
            let id = answer.expect(201)["id"].as_str().expect("an id").to_owned();
            made.lock().expect("what was made").push(id);
        }
        sleep(Duration::from_millis(2)).await;
    }
}

async fn brands(server: &Server) -> Vec<String> {
    let rows = ledger::rows::<(Uuid,)>(server, "SELECT id FROM brand").await;
    rows.into_iter().map(|(id,)| ledger::id_of("brand", id)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_can_be_gone_back_to() {
    let mut server = Server::start(Db::Sqlite).await;
    let made: Arc<Mutex<Vec<String>>> = Arc::default();
    let clients: Vec<_> = (0..4)
        .map(|number| tokio::spawn(make_brands(number, server.api(), made.clone())))
        .collect();
    sleep(Duration::from_secs(1)).await;
    let (mut before, mut during) = (Vec::new(), 0);
    for round in 0..3 {
        before = made.lock().expect("what was made").clone();
        let done = server.cli(&["backup", &format!("backup-{round}.db")]).await;
        assert!(done.status.success(), "{}", said(&done));
        during = made.lock().expect("what was made").len() - before.len();
    }
    println!("{} brands before the last backup, {during} while it was made", before.len());
    assert!(before.len() > 20 && during > 0, "there was no load");
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    let folder = server.folder().to_owned();
    let backup = folder.join("backup-2.db");
    assert_eq!(std::fs::metadata(&backup).expect("the backup").mode() & 0o777, 0o600);
    let again = server.cli(&["backup", "backup-2.db"]).await;
    assert!(!again.status.success() && said(&again).contains("there already"), "{}", said(&again));
    let checked = server.cli(&["restore", "--check", "backup-2.db"]).await;
    assert!(checked.status.success(), "{}", said(&checked));

    // Not over what is there, nor under a running program; nor what is not a backup.
    let refused = async |words: &[&str], why: &str| {
        let refused = server.cli(words).await;
        let said = said(&refused);
        assert!(!refused.status.success() && said.contains(why), "{words:?}: {said}");
    };
    refused(&["restore", "backup-2.db"], "--force").await;
    refused(&["restore", "--force", "backup-2.db"], "stop every").await;
    let whole = std::fs::read(&backup).expect("the backup");
    std::fs::write(folder.join("half.db"), &whole[..whole.len() / 2]).expect("a file");
    refused(&["restore", "--check", "half.db"], "").await;
    // A page that was overwritten.
    let mut damaged = whole.clone();
    let page = damaged.len() / 2 / 4096 * 4096;
    damaged[page..page + 4096].fill(0xa5);
    std::fs::write(folder.join("damaged.db"), damaged).expect("a file");
    refused(&["restore", "--check", "damaged.db"], "").await;
    server.call("GET", "/v1/brands?limit=1").send().await.expect(200);

    server.kill().await;
    let refused = server.cli(&["restore", "--force", "damaged.db"]).await;
    assert!(!refused.status.success(), "{}", said(&refused));
    let restored = server.cli(&["restore", "--force", "backup-2.db"]).await;
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(folder.join("bodega.db.before-restore").exists(), "what was there before");
    let server = server.another().await;
    let there = brands(&server).await;
    let missing = before.iter().filter(|id| !there.contains(id)).count();
    assert_eq!(missing, 0, "acknowledged before the backup and not in it");
    ledger::check(&server).await;
    let doctor = server.cli(&["doctor"]).await;
    assert!(doctor.status.success(), "{}", said(&doctor));
    let body = json!({ "name": "After" });
    server.call("POST", "/v1/brands").json(&body).send().await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_has_backups_of_its_own() {
    let server = Server::start(Db::Postgres).await;
    for (words, program) in [(["backup", "x"], "pg_dump"), (["restore", "x"], "pg_restore")] {
        let told = server.cli(&words).await;
        assert!(!told.status.success() && said(&told).contains(program), "{}", said(&told));
    }
}

async fn a_doctor_finds_what_is_lost(db: Db) {
    let server = Server::start(db).await;
    for name in ["One", "Two", "Three"] {
        server.call("POST", "/v1/brands").json(&json!({ "name": name })).send().await.expect(201);
    }
    while server.number("SELECT COUNT(*) FROM event WHERE sequence IS NULL").await > 0 {
        sleep(Duration::from_millis(50)).await;
    }
    let doctor = server.cli(&["doctor"]).await;
    assert!(doctor.status.success(), "{}", said(&doctor));
    let gone = "DELETE FROM event WHERE id IN (\
                SELECT id FROM event WHERE type = 'brand.created' ORDER BY id DESC LIMIT 1)";
    server.database().await.execute_unprepared(gone).await.expect("a deletion");
    let doctor = server.cli(&["doctor"]).await;
    assert!(!doctor.status.success() && said(&doctor).contains("gap"), "{}", said(&doctor));
}

/// Only the owner can read what holds everybody's secrets, whatever the umask of who starts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_is_private() {
    let setup = Setup::of(Db::Sqlite, &[]).await;
    let above = tempfile::TempDir::new().expect("a folder");
    let data = above.path().join("data");
    let script = "umask 000; exec \"$0\" migrate";
    let status = tokio::process::Command::new("sh")
        .args(["-c", script])
        .arg(bodega_tests::binary())
        .env("BODEGA_DATA_DIR", &data)
        .current_dir(above.path())
        .status()
        .await;
    assert!(status.expect("a shell").success());
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("bodega.db")), 0o600);
    // A database that an older program has made for all to read; and what lies beside it.
    let folder = setup.start().await.folder().to_owned();
    let file = folder.join("bodega.db");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("a mode");
    let server = setup.start().await;
    let body = json!({ "name": "Private" });
    server.call("POST", "/v1/brands").json(&body).send().await.expect(201);
    for name in ["bodega.db", "bodega.db-wal", "bodega.db-shm", "demo-keys.json"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode()
        & 0o777
}
