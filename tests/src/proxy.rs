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
    line: watch::Sender<Line>,
    task: JoinHandle<()>,
}

/// What becomes of connections, old and new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// All goes through.
    Whole,
    /// Old ones end; new ones are accepted and end at once.
    Cut,
    /// Old ones end; new ones are refused.
    Refused,
    /// None ends, and nothing goes through, as when a network is lost.
    Silent,
}

impl Proxy {
    /// A whole line to this address.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (line, state) = watch::channel(Line::Whole);
        let task = tokio::spawn(accept(listener, target.to_owned(), state));
        Self { address, line, task }
    }

    /// From now on it is like this.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(first: TcpListener, target: String, mut line: watch::Receiver<Line>) {
    let address = first.local_addr().expect("an address");
    let mut listener = Some(first);
    loop {
        if *line.borrow_and_update() == Line::Refused {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.expect("the same port again"));
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = line.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((client, _)) = accepted {
                tokio::spawn(carry(client, target.clone(), line.clone()));
            },
        }
    }
}

async fn carry(mut client: TcpStream, target: String, mut line: watch::Receiver<Line>) {
    let state = *line.borrow_and_update();
    if state == Line::Whole {
        let Ok(mut server) = TcpStream::connect(&target).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            _ = line.changed() => {}
        }
        if *line.borrow_and_update() == Line::Silent {
            // Neither end hears of the other until the silence is over.
            let _ = line.changed().await;
        }
    } else if state == Line::Silent {
        let _ = line.changed().await;
    }
}
