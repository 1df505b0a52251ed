//! A call and its answer.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// A call that is being put together.
pub struct Call(reqwest::RequestBuilder);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, where it is JSON; else null.
    pub body: Value,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Call {
    pub(crate) fn new(request: reqwest::RequestBuilder) -> Self {
        Self(request)
    }

    /// With this header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// With this body.
    pub fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    /// With these bytes, said to be JSON.
    pub fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self(self.0.header("Content-Type", "application/json").body(bytes.into()))
    }

    /// With these bytes and no content type.
    pub fn raw(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self(self.0.body(bytes.into()))
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("an answer")
    }

    /// Sends it to a server that may not be there.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let answer = self.0.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await?.to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Answer { status, headers, body, bytes })
    }

    /// Sends it and reads the answer without keeping or looking into it: who asks for much must not
    /// keep the machine busy with what comes. Gives the status and the number of bytes.
    pub async fn drain(self) -> Result<(u16, usize), reqwest::Error> {
        let mut answer = self.0.send().await?;
        let mut bytes = 0;
        while let Some(chunk) = answer.chunk().await? {
            bytes += chunk.len();
        }
        Ok((answer.status().as_u16(), bytes))
    }
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.body
    }

    /// The problem, if it is this one.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        assert!(body["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{body}");
        body
    }

    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
