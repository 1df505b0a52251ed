//! Disks that are full or fail, databases that take no changes, statements that are interrupted and
//! connections that are lost, while changes go on. Whatever was answered 2xx is there after a
//! `kill -9` and a restart, nobody is left without an answer, `/readyz` says why, and all goes on by
//! itself when the fault is over.

mod disk;
mod load;

use std::time::Duration;

use bodega_tests::{Db, Line, Proxy, Server, Setup};
use disk::{Room, Shim};
use load::Load;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::sleep;

/// Large enough for the demo, for 16 MB of log between two checkpoints, and for what is written while
/// the test goes on; what is left of it is filled by a file.
const SQLITE_DISK_MB: u32 = 64;
const POSTGRES_DISK_MB: u32 = 40;

const FULL: &str = "full";
const FAILS: &str = "fails to read or write";

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_on_sqlite() {
    let Some(disk) = Room::mount(SQLITE_DISK_MB) else {
        println!("No file system can be mounted here: writes fail with ENOSPC instead.");
        return shimmed(&[(ENOSPC, "write", "any", 1, Some(FULL))]).await;
    };
    println!("A file system of {SQLITE_DISK_MB} MB, with the error output on it too.");
    let setup = Setup::within(disk.path(), Db::Sqlite, &[("BODEGA_LOG", "info")]).await;
    let setup = setup.with_errors_in(disk.path().join("errors"));
    full(setup.start().await, &disk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_on_postgres() {
    let Some(disk) = Room::mount(POSTGRES_DISK_MB) else {
        println!("NOT TESTED: a full disk under PostgreSQL needs the right to mount one.");
        return;
    };
    println!("A tablespace on a file system of {POSTGRES_DISK_MB} MB.");
    let setup = Setup::of(Db::Postgres, &[]).await;
    let (_, name) = setup.database_url.rsplit_once('/').expect("a database's name");
    let space = format!("small_{name}");
    let admin = administrator().await;
    run(&admin, &format!("CREATE TABLESPACE {space} LOCATION '{}'", disk.for_postgres())).await;
    run(&admin, &format!("ALTER DATABASE {name} SET TABLESPACE {space}")).await;
    full(setup.start().await, &disk).await;
    drop(setup);
    run(&admin, &format!("DROP TABLESPACE {space}")).await;
}

/// The disk fills up under a load, twice; the second time the program is killed while it is full.
async fn full(server: Server, disk: &Room) {
    let load = Load::start(&server);
    load.until_more(30).await;
    disk.fill();
    load.until_refused(40, "storage_full").await;
    readyz_says(&server, FULL).await;
    sleep(Duration::from_secs(1)).await;
    disk.free();
    load.until_more(30).await;
    ready(&server).await;
    disk.fill();
    load.until_refused(20, "storage_full").await;
    load.end(server, async || disk.free()).await;
}

/// Each call that changes the files fails in turn, always and now and then; and one takes too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_and_output_fail_on_sqlite() {
    shimmed(&[
        (EIO, "write", "any", 1, Some(FAILS)),
        (EIO, "write", "-wal", 1, Some(FAILS)),
        (EIO, "write", "-wal", 7, None),
        (ENOSPC, "write", "-wal", 5, None),
        (ENOSPC, "all", "any", 3, None),
        (EIO, "sync", "any", 1, None),
        (EIO, "truncate", "any", 1, None),
        (EIO, "write", ".db", 1, None),
        (EIO, "all", "any", 11, None),
        (0, "write", "-wal", 11_000, None),
    ])
    .await;
}

/// What is done only when some thousand pages of the log of changes are written back to the file.
const WRITTEN_BACK: [(&str, &str); 3] = [("sync", "any"), ("truncate", "any"), ("write", ".db")];

/// What fails: errno, operation, the file's ending, every n-th call; and what `/readyz` says.
type Fault = (i32, &'static str, &'static str, u32, Option<&'static str>);

async fn shimmed(faults: &[Fault]) {
    let shim = Shim::build();
    let setup = Setup::of(Db::Sqlite, &[]).await;
    let setup = setup.with("LD_PRELOAD", shim.library()).with("STORAGE_FAULT", shim.order());
    // Nor can a line be logged.
    let setup = setup.with_errors_in("/dev/full".into());
    let server = setup.start().await;
    let load = Load::start(&server);
    for (errno, operation, ending, every, reason) in faults {
        load.until_more(20).await;
        let before = load.refused();
        shim.fail(*errno, operation, ending, *every);
        match reason {
            Some(reason) => {
                load.until_refused(10, "").await;
                readyz_says(&server, reason).await;
            }
            // What SQLite writes back later fails, while changes go on.
            None if WRITTEN_BACK.contains(&(*operation, *ending)) => load.until_more(500).await,
            None => sleep(Duration::from_millis(1_500)).await,
        }
        shim.work();
        load.until_more(20).await;
        ready(&server).await;
        let refused = load.refused() - before;
        println!("errno {errno}, {operation} {ending}, every {every}: {refused} refused");
    }
    load.end(server, async || ()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_changes() {
    let setup = Setup::of(Db::Postgres, &[]).await;
    let (_, name) = setup.database_url.rsplit_once('/').expect("a database's name");
    let (admin, name) = (administrator().await, name.to_owned());
    let server = setup.start().await;
    let load = Load::start(&server);
    for _ in 0..2 {
        load.until_more(20).await;
        run(&admin, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
        run(&admin, &terminate(&name)).await;
        load.until_refused(20, "database_unavailable").await;
        readyz_says(&server, "read-only").await;
        run(&admin, &format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
        load.until_more(20).await;
        ready(&server).await;
    }
    load.end(server, async || ()).await;
}

/// Statements are cancelled, and sessions ended, at any instant: also between a commit and its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_and_sessions_that_are_interrupted() {
    let setup = Setup::of(Db::Postgres, &[]).await;
    let (_, name) = setup.database_url.rsplit_once('/').expect("a database's name");
    let (admin, name) = (administrator().await, name.to_owned());
    let server = setup.start().await;
    let load = Load::start(&server);
    load.until_more(20).await;
    for round in 0..150 {
        let what = if round % 5 == 0 { terminate(&name) } else { cancel(&name) };
        run(&admin, &what).await;
        sleep(Duration::from_millis(7 + round % 23)).await;
    }
    assert!(load.refused() > 0, "nothing was interrupted");
    load.until_more(20).await;
    ready(&server).await;
    load.end(server, async || ()).await;
}

/// The line is cut at any instant: also when a commit is on its way, or its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_lost_at_a_commit() {
    let setup = Setup::of(Db::Postgres, &[]).await;
    let (address, _) = setup.database_url["postgres://".len()..].split_once('/').expect("a URL");
    let target = address.rsplit('@').next().expect("an address").to_owned();
    let line = Proxy::to(&target).await;
    let through = setup.database_url.replace(&target, &line.address.to_string());
    let server = setup.clone().with("BODEGA_DATABASE_URL", &through).start().await;
    let load = Load::start(&server);
    for round in 0..25 {
        load.until_more(3).await;
        line.set(Line::Cut);
        sleep(Duration::from_millis(20 + round)).await;
        line.set(Line::Whole);
    }
    assert!(load.refused() > 0, "nothing was cut");
    load.until_more(20).await;
    ready(&server).await;
    load.end(server, async || ()).await;
}

async fn administrator() -> DatabaseConnection {
    let server = std::env::var("BODEGA_TEST_POSTGRES_URL").expect("a PostgreSQL server");
    sea_orm::Database::connect(server).await.expect("PostgreSQL")
}

async fn run(admin: &DatabaseConnection, sql: &str) {
    admin.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn terminate(name: &str) -> String {
    format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
}

fn cancel(name: &str) -> String {
    format!("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
}

/// Until the operator is told so.
async fn readyz_says(server: &Server, reason: &str) {
    let asked = async {
        loop {
            let answer = server.call_without_key("GET", "/readyz").send().await;
            if answer.body["reason"].as_str().is_some_and(|said| said.contains(reason)) {
                assert_eq!(answer.status, 503);
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), asked).await;
    told.unwrap_or_else(|_| panic!("/readyz does not say that the database {reason}"));
}

async fn ready(server: &Server) {
    let asked = async {
        while server.call_without_key("GET", "/readyz").send().await.status != 200 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("ready again");
}
