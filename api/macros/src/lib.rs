//! `#[object]`: from one declaration of an object, the types that repeat it.
//!
//! Over a struct that says each field once, it writes
//! - the view, with the fields that every object has (`id`, `external_id`, `metadata`, `version`,
//!   `created_at`, `updated_at`), and how it is made of a row;
//! - `<Name>Create`, the body that makes one, with `row`, which takes it apart into a row;
//! - `<Name>Patch`, the body that changes one, with `apply`.
//!
//! They are plain structs with plain serde and utoipa derives, and they take each other apart field by
//! field: a field that is forgotten anywhere does not compile. The macro decides nothing: what a
//! handler must work out by itself is an argument of `row`, or comes out of `split`. The folder
//! `expansions` shows what it writes for three samples.
//!
//! ```text
//! #[object(name = "brand", plural = "brands", prefix = "brand", table = entity::catalog::brand,
//!     create = {"name": "Casa Norte"}, patch = {"website": null})]
//! ```
//!
//! | On a field | |
//! |---|---|
//! | nothing | in the view, in create (required unless an `Option`), in patch (null empties an `Option`) |
//! | `#[create(optional)]` | may be absent in create; what it is then is an argument of `row` |
//! | `#[create(default)]`, `#[create(default = …)]` | what it is where create does not say |
//! | `#[create(by_hand)]` | in create, and `row` takes what the handler made of it |
//! | `#[patch(skip)]` | never changes |
//! | `#[patch(by_hand)]` | in patch, and comes out of `split` for the handler |
//! | `#[read_only]` | only in the view; an argument of `row` |
//! | `#[state(Draft, Active)]` | only transitions change it; the states it can start in, the first by default |
//! | `#[unique(CODE)]` | the problem when another object has the same value |
//! | `#[refers]` | an id, or a list of ids, that must be there |
//! | `#[columns(part = column, …)]` | kept in several columns |
//! | `#[schema(…)]` | utoipa's, for bounds that the type does not say |

mod create;
mod field;
mod object;
mod patch;
mod view;

use proc_macro::TokenStream;

/// Writes the types of an object; see the crate.
#[proc_macro_attribute]
pub fn object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(arguments.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> syn::Result<proc_macro2::TokenStream> {
    let object = object::Object::parse(arguments, item)?;
    let (view, create, patch) =
        (view::write(&object), create::write(&object), patch::write(&object));
    Ok(quote::quote! { #view #create #patch })
}

#[cfg(test)]
mod tests;
