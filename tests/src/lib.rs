//! What every suite stands on: a real `bodega` process on a database of its own, and a client.
//!
//! Each suite runs on both databases: write `async fn thing(db: Db)` and name it in `both!`. The
//! PostgreSQL server to use is in `BODEGA_TEST_POSTGRES_URL`; `tests/run` starts one and sets it.

mod client;
mod memory;
mod proxy;
mod server;

pub use client::{Answer, Call};
pub use proxy::{Line, Proxy};
pub use server::{Api, Db, Server, Setup, binary};

/// Makes a test of each of these functions for each database.
#[macro_export]
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::Db::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::Db::Postgres).await;
            })*
        }
    };
}
