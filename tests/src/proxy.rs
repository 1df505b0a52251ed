//! A line to a database that can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Stands between a server and what it connects to.
pub struct Proxy {
    /// Where to connect.
    pub address: SocketAddr,
    state: watch::Sender<Line>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq)]
enum Line {
    /// All goes through.
    Whole,
    /// Connections end at once, old and new.
    Cut,
    /// Connections stay, and nothing goes through.
    Silent,
}

impl Proxy {
    /// A whole line to this address.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, line) = watch::channel(Line::Whole);
        let target = target.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), line.clone()));
            }
        });
        Self { address, state, task }
    }

    /// Ends every connection, and each new one as soon as it is made.
    pub fn cut(&self) {
        self.state.send_replace(Line::Cut);
    }

    /// Lets nothing through and ends nothing, as a lost network does.
    pub fn silence(&self) {
        self.state.send_replace(Line::Silent);
    }

    /// All goes through again, on new connections; those that were silent are ended.
    pub fn mend(&self) {
        self.state.send_replace(Line::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, target: String, mut line: watch::Receiver<Line>) {
    let state = *line.borrow_and_update();
    if state == Line::Whole {
        let Ok(mut server) = TcpStream::connect(&target).await else { return };
        let cut = tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            changed = line.changed() => changed,
        };
        if cut.is_err() || *line.borrow() == Line::Cut {
            return;
        }
        // The silence: neither end hears of the other until it is over.
        let _ = line.changed().await;
    } else if state == Line::Silent {
        let _ = line.changed().await;
    }
}
