//! `bodega doctor`: is everything that is configured there?

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::config::Config;
use crate::{app, checks};

const PATIENCE: Duration = Duration::from_secs(3);

/// Checks one thing after the other and says how each is.
pub(crate) async fn doctor(config: &Config, ready: bool) -> Result<(), String> {
    if ready {
        return running(config);
    }
    println!("configuration  ok");
    let url = config.database()?;
    let pending = crate::migrate::pending(&url).await.map_err(|error| error.to_string())?;
    println!("database       ok ({})", url.split(':').next().unwrap_or_default());
    println!(
        "migrations     {}",
        if pending.is_empty() { "ok" } else { "missing: run `bodega migrate`" }
    );
    // A database that lacks a table cannot be looked through.
    if pending.is_empty() {
        let found = checks::whole(&checks::open(&url).await?, &config.retention()).await?;
        println!("changes        ok ({found})");
    }
    if let Some(redis) = &config.redis_url {
        let client = redis::Client::open(redis.as_str()).map_err(|error| error.to_string())?;
        let connection = client.get_multiplexed_async_connection().await;
        connection.map_err(|error| format!("Redis does not answer: {error}"))?;
        println!("redis          ok");
    }
    let faults = app::registry().lint();
    println!(
        "contract       {}",
        if faults.is_empty() { "ok" } else { "has faults: `bodega contract`" }
    );
    match pending.is_empty() && faults.is_empty() {
        true => Ok(()),
        false => Err("something is missing".to_owned()),
    }
}

/// Asks the running program, on the operator's port.
fn running(config: &Config) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("not running: {error}");
    let mut stream = TcpStream::connect_timeout(&config.admin_listen, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let question = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(question.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    match answer.starts_with("HTTP/1.1 200") {
        true => Ok(()),
        false => Err(format!("not ready: {}", answer.lines().next().unwrap_or_default())),
    }
}
