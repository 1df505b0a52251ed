//! HTTP/1.1 with as little work as it can be done with, so that the client is not what is measured.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    /// The answer as it comes.
    read: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            let seen = self.read.len().saturating_sub(3);
            self.more().await?;
            if let Some(end) = self.read[seen..].windows(4).position(|four| four == b"\r\n\r\n") {
                break seen + end + 4;
            }
        };
        let (status, length) = read_head(&self.read[..head])?;
        while self.read.len() < head + length {
            self.more().await?;
        }
        Ok(Answer { status, body: &self.read[head..head + length] })
    }

    /// The JSON that a request is answered with, if it is answered with success.
    pub(crate) async fn json(&mut self, request: &[u8]) -> Value {
        let answer = self.call(request).await.expect("an answer");
        let text = String::from_utf8_lossy(answer.body);
        assert!(answer.status < 300, "{} {text}", answer.status);
        serde_json::from_str(&text).expect("JSON")
    }

    async fn more(&mut self) -> Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The status, and how long the body is.
fn read_head(head: &[u8]) -> Result<(u16, usize)> {
    let wrong = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
    let head = str::from_utf8(head).map_err(|_| wrong("an answer's head that is no text"))?;
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value.trim())
    });
    let length = length.and_then(|length| length.parse().ok());
    Ok((
        status.ok_or_else(|| wrong("an answer without a status"))?,
        length.ok_or_else(|| wrong("an answer without a Content-Length"))?,
    ))
}
