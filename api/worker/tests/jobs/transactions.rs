//! A write transaction is committed whole or not at all, also where an error was overheard.

use std::time::Duration;

use bodega_kernel::Transaction;
use bodega_tests::{Db, both};
use sea_orm::{ConnectionTrait, DbErr};

use crate::bench::Bench;

both!(one_in_doubt_is_never_committed, one_that_was_left_is_never_committed);

async fn put(tx: &Transaction, name: &str) -> Result<(), DbErr> {
    let sql = format!("INSERT INTO setting (name, value) VALUES ('{name}', 'x')");
    tx.execute_unprepared(&sql).await.map(drop)
}

async fn there(bench: &Bench) -> i64 {
    let db = bench.platform.db.writer();
    let sql = "SELECT COUNT(*) FROM setting WHERE name LIKE 'doubt-%'";
    let sql = sea_orm::Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// PostgreSQL answers the `COMMIT` of a failed transaction as if all were well.
async fn one_in_doubt_is_never_committed(db: Db) {
    let bench = Bench::open(db).await;
    for round in 0..3 {
        let tx = bench.platform.db.begin().await.unwrap();
        put(&tx, "doubt-1").await.unwrap();
        assert!(put(&tx, "doubt-1").await.is_err(), "twice the same name");
        assert!(put(&tx, "doubt-2").await.is_err(), "it runs nothing more");
        if round == 0 {
            tx.rollback().await.unwrap();
        } else {
            assert!(tx.commit().await.is_err(), "nothing was confirmed");
        }
        assert_eq!(there(&bench).await, 0);
    }
    let tx = bench.platform.db.begin().await.unwrap();
    put(&tx, "doubt-3").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(there(&bench).await, 1, "the next one is committed");
}

/// Whoever waited for a statement has gone away: nobody knows what came of it.
async fn one_that_was_left_is_never_committed(db: Db) {
    let bench = Bench::open(db).await;
    let tx = bench.platform.db.begin().await.unwrap();
    put(&tx, "doubt-1").await.unwrap();
    let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) \
                SELECT COUNT(*) FROM n";
    let left = tokio::time::timeout(Duration::from_millis(5), tx.execute_unprepared(slow)).await;
    assert!(left.is_err(), "it was quicker than that");
    assert!(tx.commit().await.is_err(), "nothing was confirmed");
    // Nothing else is written on SQLite until the statement has ended.
    let tx = loop {
        if let Ok(tx) = bench.platform.db.begin().await {
            break tx;
        }
    };
    put(&tx, "doubt-2").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(there(&bench).await, 1);
}
