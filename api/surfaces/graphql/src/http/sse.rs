//! Results as server-sent events: the "distinct connections" mode of graphql-sse.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponseBuilder};
use futures::stream;

use super::Media;
use crate::follow::{Next, Subscription};

/// Something is sent at least this often, so that nobody in between takes the line for dead.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// One result, and the end.
pub(crate) fn one(mut response: HttpResponseBuilder, body: &[u8]) -> HttpResponse {
    begin(&mut response);
    let mut out = event("next", body);
    out.extend(event("complete", b""));
    response.body(out)
}

/// Each result as it comes.
pub(crate) fn many(mut response: HttpResponseBuilder, subscription: Subscription) -> HttpResponse {
    begin(&mut response);
    // The first bytes tell the other end that it is followed.
    let begun = stream::once(async { Ok::<_, Error>(Bytes::from_static(b":\n\n")) });
    let rest = stream::unfold(Some(subscription), |state| async {
        let mut subscription = state?;
        let next = tokio::time::timeout(HEARTBEAT, subscription.next()).await;
        Some(match next {
            Err(_) => (Ok(Bytes::from_static(b":\n\n")), Some(subscription)),
            Ok(Next::Answers(answers)) => {
                let all: Vec<u8> = answers.iter().flat_map(|one| event("next", one)).collect();
                (Ok(all.into()), Some(subscription))
            }
            Ok(Next::End(error)) => {
                let mut out = Vec::new();
                if let Some(error) = error {
                    out = event(
                        "next",
                        serde_json::json!({"errors": [error]}).to_string().as_bytes(),
                    );
                }
                out.extend(event("complete", b""));
                (Ok(out.into()), None)
            }
        })
    });
    response.streaming(stream::StreamExt::chain(begun, rest))
}

fn begin(response: &mut HttpResponseBuilder) {
    let content_type = HeaderValue::from_static(Media::Events.content_type());
    response.insert_header((header::CONTENT_TYPE, content_type));
    // Compressed, events would wait for one another.
    response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("identity")));
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response.insert_header((unbuffered, HeaderValue::from_static("no")));
}

/// An event; its data is one line of JSON.
fn event(name: &str, data: &[u8]) -> Vec<u8> {
    let mut out = format!("event: {name}\ndata: ").into_bytes();
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
    out
}
