//! Names become addresses.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

/// What turns a host's name into addresses. It is asked on every connect, and each address it gives
/// is checked before anything is sent there, so it need not be trusted.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a host, in the order to try them.
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// As many names are looked up at once. Each takes a thread until the name server answers or is
/// given up.
const LOOKUPS_MAX: usize = 128;

type Answer = Result<Vec<IpAddr>, io::ErrorKind>;
type Lookup = Shared<BoxFuture<'static, Answer>>;

/// The system's own resolver.
///
/// Whoever asks for a name that is being looked up already waits for that answer, so that a name
/// server that never answers holds one thread for each name, however many messages go there.
pub struct SystemResolver {
    under_way: Arc<Mutex<HashMap<String, Lookup>>>,
    room: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { under_way: Arc::default(), room: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let lookup = under_way.entry(host.to_owned()).or_insert_with(|| {
            let (name, room, all) = (host.to_owned(), self.room.clone(), self.under_way.clone());
            // A task of its own: it goes on, and leaves the list, when nobody waits for it any
            // more.
            let task = tokio::spawn(async move {
                let answer = ask(name.clone(), room).await;
                all.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                answer
            });
            task.map(|done| done.unwrap_or(Err(io::ErrorKind::Interrupted))).boxed().shared()
        });
        lookup.clone().map(|answer| answer.map_err(io::Error::from)).boxed()
    }
}

async fn ask(host: String, room: Arc<Semaphore>) -> Answer {
    let permit = room.acquire_owned().await.map_err(|_| io::ErrorKind::Interrupted)?;
    let asked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let addresses = (host.as_str(), 0).to_socket_addrs().map_err(|error| error.kind())?;
        Ok(addresses.map(|address| address.ip()).collect())
    });
    asked.await.unwrap_or(Err(io::ErrorKind::Interrupted))
}
