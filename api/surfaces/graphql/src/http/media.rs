//! The media types of answers.

use actix_web::http::header::{self, HeaderMap};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status says how it went.
    Response,
    /// `application/json`: every answer that is GraphQL is a 200.
    Json,
    /// `text/event-stream`: each result is an event.
    Events,
}

impl Media {
    /// What the caller wants most of what there is; plain JSON, where it does not say.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut lists = headers.get_all(header::ACCEPT).filter_map(|list| list.to_str().ok());
        let mut best: Option<(f32, Self)> = None;
        let mut asked = false;
        for range in lists.by_ref().flat_map(|list| list.split(',')).take(50) {
            let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
            let name = parts.next().unwrap_or_default();
            asked |= !name.is_empty();
            let (mut weight, mut utf8) = (1.0, true);
            for part in parts {
                match part.split_once('=') {
                    Some(("q", q)) => weight = q.parse().unwrap_or(0.0),
                    Some(("charset", charset)) => {
                        utf8 = matches!(charset.trim_matches('"'), "utf-8" | "utf8");
                    }
                    _ => {}
                }
            }
            let media = match name.as_str() {
                "application/graphql-response+json" => Self::Response,
                "application/json" | "application/*" | "*/*" => Self::Json,
                "text/event-stream" => Self::Events,
                _ => continue,
            };
            if weight > 0.0 && utf8 && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, media));
            }
        }
        match best {
            Some((_, media)) => Some(media),
            None => (!asked).then_some(Self::Json),
        }
    }

    /// The value of `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Events => "text/event-stream; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn accepted(value: &str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(value).expect("a header"));
        Media::accepted(&headers)
    }

    #[test]
    fn what_is_wanted_most_is_sent() {
        assert_eq!(Media::accepted(&HeaderMap::new()), Some(Media::Json));
        assert_eq!(accepted("*/*"), Some(Media::Json));
        assert_eq!(accepted("text/html"), None);
        assert_eq!(accepted("application/json;q=0"), None);
        assert_eq!(accepted("application/json; charset=latin1"), None);
        let both = "application/graphql-response+json, application/json;q=0.9";
        assert_eq!(accepted(both), Some(Media::Response));
        assert_eq!(accepted("application/json, text/event-stream"), Some(Media::Json));
        assert_eq!(accepted("text/event-stream"), Some(Media::Events));
    }
}
