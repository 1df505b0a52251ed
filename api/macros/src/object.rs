//! What is declared of an object.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitStr, Path, Token, Visibility};

use crate::field::Field;

/// An object: what is said above the struct, and its fields.
pub(crate) struct Object {
    pub(crate) arguments: Arguments,
    pub(crate) docs: Vec<syn::Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) fields: Vec<Field>,
}

/// What stands in the parentheses of `#[object(…)]`.
pub(crate) struct Arguments {
    pub(crate) name: LitStr,
    pub(crate) plural: LitStr,
    pub(crate) prefix: LitStr,
    /// The module of the table.
    pub(crate) table: Path,
    /// Columns that are not shown, such as a key that only the database compares.
    pub(crate) hidden: Vec<Hidden>,
    /// An example of a body that makes one, and of one that changes one; no such body where absent.
    pub(crate) create: Option<TokenStream>,
    pub(crate) patch: Option<TokenStream>,
}

/// A column that is not shown; its type, for the argument of `row`.
pub(crate) struct Hidden {
    pub(crate) name: Ident,
    pub(crate) kind: syn::Type,
}

impl Object {
    pub(crate) fn parse(arguments: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let arguments = syn::parse2(arguments)?;
        let item: syn::ItemStruct = syn::parse2(item)?;
        let fields = item.fields.iter().map(Field::parse).collect::<syn::Result<_>>()?;
        let foreign = item.attrs.iter().find(|attribute| !attribute.path().is_ident("doc"));
        if let Some(attribute) = foreign {
            return Err(Error::new_spanned(attribute, "only documentation stands here"));
        }
        Ok(Self { arguments, docs: item.attrs, visibility: item.vis, name: item.ident, fields })
    }

    /// `BrandCreate`.
    pub(crate) fn create_name(&self) -> Ident {
        format_ident!("{}Create", self.name)
    }

    /// `BrandPatch`.
    pub(crate) fn patch_name(&self) -> Ident {
        format_ident!("{}Patch", self.name)
    }

    /// `a brand`, `an api key`.
    pub(crate) fn spoken(&self) -> String {
        let name = self.arguments.name.value().replace('_', " ");
        let article = if name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {name}")
    }

    /// `A brand`.
    pub(crate) fn spoken_one(&self) -> String {
        let mut spoken = self.spoken();
        spoken.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
        spoken
    }

    /// `A new brand.`
    pub(crate) fn spoken_new(&self) -> String {
        format!("A new {}.", self.arguments.name.value().replace('_', " "))
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut name, mut plural, mut prefix, mut table) = (None, None, None, None);
        let (mut hidden, mut create, mut patch) = (Vec::new(), None, None);
        let span = input.span();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            if key == "hidden" {
                let inner;
                syn::parenthesized!(inner in input);
                let all = inner.parse_terminated(Hidden::parse, Token![,])?;
                hidden = all.into_iter().collect();
            } else {
                input.parse::<Token![=]>()?;
                match key.to_string().as_str() {
                    "name" => name = Some(input.parse()?),
                    "plural" => plural = Some(input.parse()?),
                    "prefix" => prefix = Some(input.parse()?),
                    "table" => table = Some(input.parse()?),
                    "create" => create = Some(json(input)?),
                    "patch" => patch = Some(json(input)?),
                    _ => return Err(Error::new(key.span(), "is not known here")),
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let missing = |what: &str| Error::new(span, format!("`{what} = …` is missing"));
        Ok(Self {
            name: name.ok_or_else(|| missing("name"))?,
            plural: plural.ok_or_else(|| missing("plural"))?,
            prefix: prefix.ok_or_else(|| missing("prefix"))?,
            table: table.ok_or_else(|| missing("table"))?,
            hidden,
            create,
            patch,
        })
    }
}

impl Parse for Hidden {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok(Self { name, kind: input.parse()? })
    }
}

/// A JSON object in braces.
fn json(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let group: proc_macro2::Group = input.parse()?;
    Ok(proc_macro2::TokenTree::Group(group).into())
}
