//! What a call is answered with, not yet bytes: objects as they were made, or a tree of values where
//! something had to change in them.

use bodega_kernel::{Page, Result, Shown, Size, write_all};
use serde_json::{Map, Value};

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// One object.
    One(Shown),
    /// A page of them.
    Page(Page<Shown>),
    /// Anything else: a problem, the results of a batch, an answer that was kept.
    Tree(Value),
}

impl Default for Body {
    fn default() -> Self {
        Self::Tree(Value::Null)
    }
}

impl Body {
    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match (self, name) {
            (Self::One(object), _) => object.text(name),
            (Self::Page(page), "next_cursor") => page.next_cursor.as_deref(),
            (Self::Page(page), "prev_cursor") => page.prev_cursor.as_deref(),
            (Self::Page(_), _) => None,
            (Self::Tree(value), _) => value.get(name)?.as_str(),
        }
    }

    /// The version of the one object.
    pub fn version(&self) -> Option<i64> {
        match self {
            Self::One(object) => object.whole("version"),
            Self::Page(_) => None,
            Self::Tree(value) => value.get("version")?.as_i64(),
        }
    }

    /// About how much memory it takes as a tree of values.
    pub(crate) fn size(&self) -> Size {
        match self {
            Self::One(object) => object.size(),
            Self::Page(page) => page.data.iter().map(Shown::size).sum(),
            Self::Tree(value) => Size::of(value),
        }
    }

    /// The same as a tree of values.
    pub fn tree(self) -> Result<Value> {
        match self {
            Self::One(object) => object.tree(),
            Self::Page(mut page) => {
                let data = std::mem::take(&mut page.data);
                let data = data.into_iter().map(|object| object.tree()).collect::<Result<_>>()?;
                let rest = beside(&page).into_iter();
                let members = [("data", data)].into_iter().chain(rest);
                let members = members.map(|(name, value)| (name.to_owned(), value));
                Ok(Value::Object(members.collect::<Map<_, _>>()))
            }
            Self::Tree(value) => Ok(value),
        }
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::One(object) => object.write(&mut out),
            Self::Page(page) => {
                out.extend_from_slice(b"{\"data\":");
                write_all(&page.data, &mut out);
                for (name, value) in beside(page) {
                    out.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
                }
                out.push(b'}');
            }
            // Writing to memory fails only where the value is no JSON, and it is.
            Self::Tree(value) => return serde_json::to_vec(value).unwrap_or_default(),
        }
        out
    }
}

/// What a page says beside its objects.
fn beside(page: &Page<Shown>) -> Vec<(&'static str, Value)> {
    let mut members = vec![
        ("next_cursor", page.next_cursor.clone().into()),
        ("prev_cursor", page.prev_cursor.clone().into()),
    ];
    members.extend(page.total_count.map(|total| ("total_count", total.into())));
    members.extend(page.reached.map(|reached| ("reached", reached.into())));
    if !page.cursors.is_empty() {
        members.push(("cursors", page.cursors.clone().into()));
    }
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn its_bytes_are_those_of_its_tree() {
        let object = Shown::of(&json!({"id": "x", "version": 3})).unwrap();
        let page = Page {
            data: vec![object.clone(), object.clone()],
            next_cursor: Some("n".to_owned()),
            prev_cursor: None,
            total_count: Some(2),
            cursors: vec!["a".to_owned(), "b".to_owned()],
            reached: Some(9),
        };
        assert_eq!(Body::One(object.clone()).version(), Some(3));
        let page = Body::Page(page);
        assert_eq!((page.text("next_cursor"), page.text("prev_cursor")), (Some("n"), None));
        assert_eq!(page.size().objects, 2);
        for body in [Body::One(object), page, Body::Tree(json!({"code": "x"}))] {
            let bytes = body.to_bytes();
            assert_eq!(bytes, serde_json::to_vec(&body.tree().unwrap()).unwrap());
        }
    }
}
