//! An object as the API shows it, made once: its JSON text, and where each member stands in it.
//!
//! What is sent is copied out of that text, and so is what a caller picks of it. Objects that it leads
//! to are embedded as they are, and shared by all that show them. A tree of values is made only for
//! those who ask for one.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{Error as _, Impossible, Serialize, SerializeMap, SerializeStruct, Serializer};
use serde_json::{Error, Map, Value};

use crate::{Problem, Result, Size};

/// An object as the API shows it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The members with commas between them: `"id":"brd_…","name":"Casa Norte"`.
    text: Vec<u8>,
    members: Vec<Member>,
    embedded: Vec<(String, Embedded)>,
}

/// Where a member stands in the text.
#[derive(Clone, Debug)]
struct Member {
    name: Cow<'static, str>,
    start: usize,
    value: usize,
    end: usize,
}

/// What an object leads to, embedded in it.
#[derive(Clone, Debug)]
pub enum Embedded {
    /// One object, or none.
    One(Option<Arc<Shown>>),
    /// Some objects.
    Many(Vec<Arc<Shown>>),
    /// Some objects, as the `data` of a page, and what stands beside them.
    Page(Vec<Arc<Shown>>, Vec<(&'static str, Value)>),
}

impl Shown {
    /// Writes an object. What is no object is a mistake of the program.
    pub fn of(view: &(impl Serialize + ?Sized)) -> Result<Self> {
        let mut shown = Self::default();
        view.serialize(Writer { shown: &mut shown, name: None }).map_err(Problem::internal)?;
        Ok(shown)
    }

    /// How much of an answer it is, without what is embedded in it. It weighs as much as the tree of
    /// values that may be made of it.
    pub fn size(&self) -> Size {
        Size::of_text(self.members.iter().map(|member| {
            let json = self.text.get(member.value..member.end).unwrap_or_default();
            (&*member.name, json)
        }))
    }

    /// The JSON of a member.
    pub fn json(&self, name: &str) -> Option<&[u8]> {
        let member = self.members.iter().find(|member| member.name == name)?;
        self.text.get(member.value..member.end)
    }

    /// A member that is a text, in which nothing needs an escape: an id, a cursor, a code.
    pub fn text(&self, name: &str) -> Option<&str> {
        let json = std::str::from_utf8(self.json(name)?).ok()?;
        let text = json.strip_prefix('"')?.strip_suffix('"')?;
        (!text.contains('\\')).then_some(text)
    }

    /// A member that is a whole number.
    pub fn whole(&self, name: &str) -> Option<i64> {
        std::str::from_utf8(self.json(name)?).ok()?.parse().ok()
    }

    /// Leaves out the members that are not wanted; what is embedded stays.
    pub fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        let (text, members) = (std::mem::take(&mut self.text), std::mem::take(&mut self.members));
        for member in members.into_iter().filter(|member| wanted(&member.name)) {
            let written = text.get(member.start..member.end).unwrap_or_default();
            self.comma();
            let (start, value) = (self.text.len(), member.value - member.start);
            self.text.extend_from_slice(written);
            let end = self.text.len();
            self.members.push(Member { start, value: start + value, end, ..member });
        }
    }

    /// Embeds what it leads to, under the name of the link: no member has that name, as the registry's
    /// lint sees to.
    pub fn embed(&mut self, link: &str, what: Embedded) {
        self.embedded.push((link.to_owned(), what));
    }

    /// Writes the whole of it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        out.extend_from_slice(&self.text);
        let mut first = self.text.is_empty();
        for (name, what) in &self.embedded {
            out.extend_from_slice(if first { b"\"" } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            what.write(out);
            first = false;
        }
        out.push(b'}');
    }

    /// The same as a tree of values.
    pub fn tree(&self) -> Result<Value> {
        let mut tree = Map::with_capacity(self.members.len() + self.embedded.len());
        for member in &self.members {
            let json = self.text.get(member.value..member.end).unwrap_or_default();
            tree.insert(member.name.to_string(), value(json)?);
        }
        for (name, what) in &self.embedded {
            tree.insert(name.clone(), what.tree()?);
        }
        Ok(Value::Object(tree))
    }

    fn comma(&mut self) {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
    }

    fn member(
        &mut self,
        name: Cow<'static, str>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), Error> {
        self.comma();
        let start = self.text.len();
        serde_json::to_writer(&mut self.text, &name)?;
        self.text.push(b':');
        let at = self.text.len();
        serde_json::to_writer(&mut self.text, value)?;
        self.members.push(Member { name, start, value: at, end: self.text.len() });
        Ok(())
    }
}

impl Embedded {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::One(None) => out.extend_from_slice(b"null"),
            Self::One(Some(object)) => object.write(out),
            Self::Many(objects) => write_all(objects.iter().map(|object| &**object), out),
            Self::Page(objects, beside) => {
                out.extend_from_slice(b"{\"data\":");
                write_all(objects.iter().map(|object| &**object), out);
                for (name, value) in beside {
                    out.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
                }
                out.push(b'}');
            }
        }
    }

    /// The same as a tree of values.
    pub fn tree(&self) -> Result<Value> {
        match self {
            Self::One(None) => Ok(Value::Null),
            Self::One(Some(object)) => object.tree(),
            Self::Many(objects) => objects.iter().map(|object| object.tree()).collect(),
            Self::Page(objects, beside) => {
                let mut page = Map::with_capacity(1 + beside.len());
                let data: Result<Value> = objects.iter().map(|object| object.tree()).collect();
                page.insert("data".to_owned(), data?);
                page.extend(beside.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
                Ok(page.into())
            }
        }
    }
}

/// What is written. Most members are texts without an escape, which are there already.
fn value(json: &[u8]) -> Result<Value> {
    match json {
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => {
            std::str::from_utf8(text).map(Value::from).map_err(Problem::internal)
        }
        json => serde_json::from_slice(json).map_err(Problem::internal),
    }
}

/// Writes objects as a list.
pub fn write_all<'a>(objects: impl IntoIterator<Item = &'a Shown>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, object) in objects.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        object.write(out);
    }
    out.push(b']');
}

/// Takes an object apart into its members, and leaves the writing of each to `serde_json`.
struct Writer<'a> {
    shown: &'a mut Shown,
    /// Of a map: the name of the member that comes next.
    name: Option<String>,
}

impl SerializeStruct for Writer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.shown.member(Cow::Borrowed(name), value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeMap for Writer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Error> {
        match serde_json::to_value(name)? {
            Value::String(name) => self.name = Some(name),
            other => self.name = Some(other.to_string()),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = self.name.take().unwrap_or_default();
        self.shown.member(Cow::Owned(name), value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

fn no_object() -> Error {
    Error::custom("an answer that is no object")
}

/// What is no object.
macro_rules! refused {
    ($($method:ident($($kind:ty),*)),* $(,)?) => {
        $(fn $method(self, $(_: $kind),*) -> Result<(), Error> {
            Err(no_object())
        })*
    };
}

impl Serializer for Writer<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Error>;

    fn serialize_struct(self, _: &'static str, members: usize) -> Result<Self, Error> {
        self.shown.members.reserve(members);
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.shown.member(Cow::Borrowed(variant), value)
    }

    refused! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32),
        serialize_i64(i64), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32),
        serialize_u64(u64), serialize_f32(f32), serialize_f64(f64), serialize_char(char),
        serialize_str(&str), serialize_bytes(&[u8]), serialize_none(), serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(no_object())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(no_object())
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        Err(no_object())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_object())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(no_object())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct View {
        id: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        left_out: Option<u8>,
        name: &'static str,
        version: i64,
        sizes: Vec<u8>,
        #[serde(flatten)]
        rest: serde_json::Map<String, Value>,
    }

    fn view() -> View {
        let rest = json!({"a \"b\"": {"c": null}}).as_object().unwrap().clone();
        let (id, name) = ("brd_1", "Peñón \"Norte\"");
        View { id, left_out: None, name, version: 7, sizes: vec![1, 2], rest }
    }

    #[test]
    fn it_is_what_serde_json_writes() {
        let shown = Shown::of(&view()).unwrap();
        let mut text = Vec::new();
        shown.write(&mut text);
        assert_eq!(text, serde_json::to_vec(&view()).unwrap());
        assert_eq!(shown.tree().unwrap(), json!(view()));
        assert_eq!((shown.text("id"), shown.whole("version")), (Some("brd_1"), Some(7)));
        assert_eq!((shown.text("name"), shown.text("version")), (None, None), "escapes; no text");
        assert!(shown.size().bytes > text.len() as u64, "a value weighs at least its text");
        assert!(Shown::of(&[1, 2]).is_err() && Shown::of("text").is_err());
        assert_eq!(Shown::of(&json!({})).unwrap().tree().unwrap(), json!({}));
    }

    #[test]
    fn members_are_left_out_and_links_embedded() {
        let mut shown = Shown::of(&view()).unwrap();
        let other = Arc::new(Shown::of(&json!({"id": "x"})).unwrap());
        shown.embed("one", Embedded::One(Some(other.clone())));
        shown.embed("none", Embedded::One(None));
        shown.embed("many", Embedded::Many(vec![other.clone(), other.clone()]));
        shown.embed("page", Embedded::Page(vec![other], vec![("has_more", json!(false))]));
        shown.keep(|name| matches!(name, "version" | "id"));
        let expected = json!({
            "id": "brd_1", "version": 7, "one": {"id": "x"}, "none": null,
            "many": [{"id": "x"}, {"id": "x"}],
            "page": {"data": [{"id": "x"}], "has_more": false}
        });
        let mut text = Vec::new();
        shown.write(&mut text);
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), expected);
        assert_eq!(shown.tree().unwrap(), expected);
        assert_eq!(shown.whole("version"), Some(7));
        shown.keep(|_| false);
        assert_eq!(shown.tree().unwrap()["one"], json!({"id": "x"}));
    }
}
