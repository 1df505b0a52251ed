//! What a request asks for: the members of a POST's body, or of a GET's query string.

use bodega_kernel::{FieldError, Problem, Result, json, problem, text};
use serde_json::{Map, Value};

/// The parameters of GraphQL over HTTP.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Params {
    pub(crate) query: Option<String>,
    /// The name of a document that is known already: `sha256:` and its hash.
    pub(crate) document_id: Option<String>,
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Map<String, Value>,
    pub(crate) extensions: Map<String, Value>,
}

impl Params {
    /// From the body of a POST.
    pub(crate) fn of_body(bytes: &[u8]) -> Result<Self> {
        match json::parse(bytes)? {
            Value::Object(members) => Self::of(members),
            Value::Array(_) => Err(wrong(
                "",
                "not a list: one request at a time",
                "no una lista: una solicitud a la vez",
            )),
            _ => Err(wrong("", "a JSON object", "un objeto JSON")),
        }
    }

    /// From the query string of a GET, where what is an object comes as JSON.
    pub(crate) fn of_query(query: &str) -> Result<Self> {
        let mut members = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = match name.as_ref() {
                "variables" | "extensions" if !value.is_empty() => json::parse(value.as_bytes())?,
                _ => Value::String(value.into_owned()),
            };
            if members.insert(name.to_string(), value).is_some() {
                return Err(wrong(&name, "there once", "una sola vez"));
            }
        }
        Self::of(members)
    }

    /// From the members of a JSON object, as web sockets carry them too.
    pub(crate) fn of(members: Map<String, Value>) -> Result<Self> {
        let mut params = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("query", Value::String(query)) => params.query = Some(query),
                ("documentId", Value::String(id)) => params.document_id = Some(id),
                ("operationName", Value::String(name)) => {
                    params.operation_name = Some(name).filter(|name| !name.is_empty());
                }
                ("variables", Value::Object(variables)) => params.variables = variables,
                ("extensions", Value::Object(extensions)) => params.extensions = extensions,
                (
                    "query" | "documentId" | "operationName" | "variables" | "extensions",
                    Value::Null,
                ) => {}
                ("query" | "documentId" | "operationName", _) => {
                    return Err(wrong(&name, "a text", "un texto"));
                }
                ("variables" | "extensions", _) => {
                    return Err(wrong(&name, "an object", "un objeto"));
                }
                _ => {
                    return Err(wrong(&name, "left out: it is not known", "omitido: no se conoce"));
                }
            }
        }
        Ok(params)
    }

    /// The hash of a document, in lower case, where one is asked for by it: as a `documentId`
    /// (GraphQL over HTTP, Persisted Documents), or as a persisted query.
    pub(crate) fn hash(&self) -> Result<Option<String>> {
        if let Some(id) = &self.document_id {
            let Some(hash) = id.strip_prefix("sha256:") else {
                return Err(wrong("documentId", "`sha256:` and a hash", "`sha256:` y un hash"));
            };
            return Ok(Some(hash.to_ascii_lowercase()));
        }
        let persisted = self.extensions.get("persistedQuery");
        let hash = persisted.and_then(|persisted| persisted.get("sha256Hash")?.as_str());
        Ok(hash.map(str::to_ascii_lowercase))
    }
}

fn wrong(name: &str, en: &str, es: &str) -> Problem {
    let pointer = if name.is_empty() { String::new() } else { format!("/{name}") };
    let detail = text(format!("must be {en}"), format!("debe ser {es}"));
    Problem::new(&problem::MALFORMED_REQUEST).at(FieldError::body(pointer, "invalid", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_request() {
        let body =
            br#"{"query": "{ a }", "variables": null, "operationName": "", "extensions": {}}"#;
        let params = Params::of_body(body).expect("parameters");
        assert_eq!(params, Params { query: Some("{ a }".to_owned()), ..Params::default() });
        for bad in [
            r#"[{"query": "{ a }"}]"#,
            r#""{ a }""#,
            r#"{"query": 1}"#,
            r#"{"query": "{ a }", "variables": []}"#,
            r#"{"query": "{ a }", "extensions": "x"}"#,
            r#"{"query": "{ a }", "operationName": {}}"#,
            r#"{"query": "{ a }", "nonsense": 1}"#,
            r#"{"query": "{ a }", "query": "{ b }"}"#,
            r#"{"documentId": 7}"#,
        ] {
            assert!(Params::of_body(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_document_is_asked_for_by_its_hash() {
        let hash = |body: &str| Params::of_body(body.as_bytes()).expect("parameters").hash();
        let hashed = |body| hash(body).expect("a hash");
        assert_eq!(hashed(r#"{"documentId": "sha256:AB"}"#).as_deref(), Some("ab"));
        let persisted = r#"{"extensions": {"persistedQuery": {"sha256Hash": "Cd"}}}"#;
        assert_eq!(hashed(persisted).as_deref(), Some("cd"));
        assert_eq!(hashed(r#"{"query": "{ a }"}"#), None);
        assert!(hash(r#"{"documentId": "getBrands"}"#).is_err());
    }

    #[test]
    fn a_query_string_is_one_request() {
        let params = Params::of_query("query=%7Ba%7D&variables=%7B%22b%22%3A1%7D&operationName=x");
        let params = params.expect("parameters");
        assert_eq!(params.query.as_deref(), Some("{a}"));
        assert_eq!(params.variables.get("b"), Some(&Value::from(1)));
        assert!(Params::of_query("query=a&query=b").is_err());
        assert!(Params::of_query("query=a&variables=1").is_err());
    }
}
