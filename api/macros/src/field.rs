//! What is declared of a field.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, GenericArgument, Path, PathArguments, Token, Type};

/// A field of an object.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) kind: Type,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) schema: Vec<Attribute>,
    pub(crate) create: InCreate,
    pub(crate) patch: InPatch,
    pub(crate) unique: Option<Unique>,
    pub(crate) refers: bool,
    /// The columns it is kept in, by its parts, where it is kept in several.
    pub(crate) columns: Vec<(Ident, Ident)>,
}

/// How a field stands in the body that makes an object.
pub(crate) enum InCreate {
    /// It must be there, unless the type is an `Option`.
    Given,
    /// It may be absent, and the handler says what it is.
    Optional,
    /// It may be absent, and this is what it is then.
    Default(Box<Expr>),
    /// The handler says what is made of it.
    ByHand,
    /// One of these states.
    State(Vec<Ident>),
    /// It is not there: the handler says what it is.
    Absent,
}

/// How a field stands in the body that changes an object.
#[derive(PartialEq)]
pub(crate) enum InPatch {
    Given,
    ByHand,
    Absent,
}

/// The problem when another object has the same value, and the last column of the unique index.
pub(crate) struct Unique {
    pub(crate) code: Path,
    pub(crate) column: Ident,
}

impl Field {
    pub(crate) fn parse(field: &syn::Field) -> syn::Result<Self> {
        let unnamed = || Error::new(field.span(), "a field has a name");
        let name = field.ident.clone().ok_or_else(unnamed)?;
        let mut parsed = Self {
            kind: field.ty.clone(),
            docs: Vec::new(),
            schema: Vec::new(),
            create: InCreate::Given,
            patch: InPatch::Given,
            unique: None,
            refers: false,
            columns: Vec::new(),
            name,
        };
        for attribute in &field.attrs {
            parsed.attribute(attribute)?;
        }
        if parsed.docs.is_empty() {
            return Err(Error::new(field.span(), "a field says what it is, in a comment"));
        }
        Ok(parsed)
    }

    fn attribute(&mut self, attribute: &Attribute) -> syn::Result<()> {
        let path = attribute.path();
        if path.is_ident("doc") {
            self.docs.push(attribute.clone());
        } else if path.is_ident("schema") {
            self.schema.push(attribute.clone());
        } else if path.is_ident("read_only") {
            (self.create, self.patch) = (InCreate::Absent, InPatch::Absent);
        } else if path.is_ident("refers") {
            self.refers = true;
        } else if path.is_ident("create") {
            attribute.parse_nested_meta(|meta| {
                self.create = if meta.path.is_ident("optional") {
                    InCreate::Optional
                } else if meta.path.is_ident("by_hand") {
                    InCreate::ByHand
                } else if meta.path.is_ident("default") {
                    InCreate::Default(Box::new(match meta.input.peek(Token![=]) {
                        true => meta.value()?.parse()?,
                        false => syn::parse_quote!(Default::default()),
                    }))
                } else {
                    return Err(meta.error("is `optional`, `default`, `default = …` or `by_hand`"));
                };
                Ok(())
            })?;
        } else if path.is_ident("patch") {
            attribute.parse_nested_meta(|meta| {
                self.patch = if meta.path.is_ident("skip") {
                    InPatch::Absent
                } else if meta.path.is_ident("by_hand") {
                    InPatch::ByHand
                } else {
                    return Err(meta.error("is `skip` or `by_hand`"));
                };
                Ok(())
            })?;
        } else if path.is_ident("state") {
            let states =
                attribute.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated)?;
            self.create = InCreate::State(states.into_iter().collect());
            self.patch = InPatch::Absent;
        } else if path.is_ident("unique") {
            self.unique =
                Some(attribute.parse_args_with(|input: syn::parse::ParseStream<'_>| {
                    let code = input.parse()?;
                    let mut column = self.name.clone();
                    if input.peek(Token![,]) {
                        input.parse::<Token![,]>()?;
                        column = input.parse()?;
                    }
                    Ok(Unique { code, column })
                })?);
        } else if path.is_ident("columns") {
            attribute.parse_nested_meta(|meta| {
                let part = meta.path.require_ident()?.clone();
                self.columns.push((part, meta.value()?.parse()?));
                Ok(())
            })?;
        } else {
            return Err(Error::new_spanned(attribute, "is not known on a field"));
        }
        Ok(())
    }

    /// Whether it may be empty.
    pub(crate) fn nullable(&self) -> bool {
        argument(&self.kind, "Option").is_some()
    }

    /// Its type, without the `Option` around it.
    pub(crate) fn inner(&self) -> &Type {
        argument(&self.kind, "Option").unwrap_or(&self.kind)
    }

    /// Whether it is an id or made of ids, which are kept as UUIDs.
    fn has_ids(&self) -> bool {
        let inner = self.inner();
        let item = ["List", "Distinct"].iter().find_map(|list| argument(inner, list));
        last_is(item.unwrap_or(inner), "Id")
    }

    /// Whether it is a list of ids.
    pub(crate) fn is_list(&self) -> bool {
        ["List", "Distinct"].iter().any(|list| argument(self.inner(), list).is_some())
    }

    /// The columns it is kept in.
    pub(crate) fn column_names(&self) -> Vec<Ident> {
        match self.columns.is_empty() {
            true => vec![self.name.clone()],
            false => self.columns.iter().map(|(_, column)| column.clone()).collect(),
        }
    }

    /// What is shown of its columns, which are in variables of their names.
    pub(crate) fn shown(&self) -> TokenStream {
        let (name, inner) = (&self.name, self.inner());
        if self.columns.is_empty() {
            return match self.has_ids() {
                true => quote!(bodega_kernel::Kept::shown(#name)),
                false => quote!(#name),
            };
        }
        let parts = self.columns.iter().map(|(part, _)| part);
        let columns = self.column_names();
        if !self.nullable() {
            return quote!(#inner { #(#parts: #columns),* });
        }
        let value = parts.clone();
        quote! {
            match (#(#columns),*) {
                (#(Some(#parts)),*) => Some(#inner { #(#value),* }),
                _ => None,
            }
        }
    }

    /// The columns and what is kept in them, of the field's value in a variable of its name.
    pub(crate) fn kept(&self) -> Vec<(Ident, TokenStream)> {
        let name = &self.name;
        if self.columns.is_empty() {
            let value = match self.has_ids() {
                true => quote!(bodega_kernel::Kept::kept(#name)),
                false => quote!(#name),
            };
            return vec![(name.clone(), value)];
        }
        let part = |(part, column): &(Ident, Ident)| {
            let value = match self.nullable() {
                true => quote!(#name.map(|value| value.#part)),
                false => quote!(#name.#part),
            };
            (column.clone(), value)
        };
        self.columns.iter().map(part).collect()
    }

    /// Writes what a patch says of it, in a variable of its name, to the row.
    pub(crate) fn applied(&self) -> TokenStream {
        let name = &self.name;
        if self.nullable() {
            let columns = self.columns.iter().map(
                |(part, column)| quote!(#name.map(|value| value.#part).apply(&mut row.#column);),
            );
            return match (self.columns.is_empty(), self.has_ids()) {
                (true, true) => quote!(#name.map(bodega_kernel::Kept::kept).apply(&mut row.#name);),
                (true, false) => quote!(#name.apply(&mut row.#name);),
                (false, _) => quote!(#(#columns)*),
            };
        }
        let kept = self.kept().into_iter().map(|(column, value)| quote!(row.#column = #value;));
        quote!(if let Some(#name) = #name { #(#kept)* })
    }

    /// The type it has in a patch.
    pub(crate) fn patch_kind(&self) -> TokenStream {
        let inner = self.inner();
        match self.nullable() {
            true => quote!(bodega_kernel::Patch<#inner>),
            false => quote!(Option<#inner>),
        }
    }

    /// `ProductInitialStatus`: the states that an object can start in.
    pub(crate) fn initial_name(&self, object: &Ident) -> Ident {
        let mut word = self.name.to_string();
        word.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
        format_ident!("{object}Initial{word}")
    }
}

/// The first argument of a generic type of this name.
fn argument<'a>(kind: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = kind else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    })
}

fn last_is(kind: &Type, name: &str) -> bool {
    matches!(kind, Type::Path(path) if path.path.segments.last().is_some_and(|l| l.ident == name))
}

/// Attributes as they stand.
pub(crate) fn all(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().map(ToTokens::to_token_stream).collect()
}
