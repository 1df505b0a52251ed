//! Lists with a bound.

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};

use crate::INLINE;

/// Up to `N` of something, in order.
pub type List<T, const N: usize> = Items<T, N, false>;

/// Up to `N` of something, in order, no two the same.
pub type Distinct<T, const N: usize> = Items<T, N, true>;

/// Up to `N` of something; the schema of a body sees to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Items<T, const N: usize, const DISTINCT: bool>(Vec<T>);

impl<T, const N: usize, const DISTINCT: bool> Items<T, N, DISTINCT> {
    /// The same of another type.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Items<U, N, DISTINCT> {
        Items(self.0.into_iter().map(into).collect())
    }

    /// What is in it.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const N: usize, const DISTINCT: bool> From<Vec<T>> for Items<T, N, DISTINCT> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T, const N: usize, const DISTINCT: bool> FromIterator<T> for Items<T, N, DISTINCT> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T, const N: usize, const DISTINCT: bool> Default for Items<T, N, DISTINCT> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const N: usize, const DISTINCT: bool> Deref for Items<T, N, DISTINCT> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: ToSchema + ComposeSchema, const N: usize, const DISTINCT: bool> ComposeSchema
    for Items<T, N, DISTINCT>
{
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let array = ArrayBuilder::new()
            .items(item::<T>())
            .max_items(Some(N))
            .unique_items(DISTINCT)
            .extensions(Some(ExtensionsBuilder::new().add(INLINE, true).build()));
        RefOr::T(Schema::Array(array.build()))
    }
}

/// The schema of one of them: a reference, unless it is one that is written out where it is used.
fn item<T: ToSchema + ComposeSchema>() -> RefOr<Schema> {
    match T::compose(Vec::new()) {
        RefOr::T(Schema::Object(object))
            if object.extensions.as_ref().is_some_and(|all| all.contains_key(INLINE)) =>
        {
            RefOr::T(Schema::Object(object))
        }
        _ => RefOr::Ref(Ref::from_schema_name(T::name())),
    }
}

impl<T: ToSchema + ComposeSchema, const N: usize, const DISTINCT: bool> ToSchema
    for Items<T, N, DISTINCT>
{
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}{N}", if DISTINCT { "Distinct" } else { "List" }))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}
