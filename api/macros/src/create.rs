//! The body that makes an object, and the row it becomes.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::field::{Field, InCreate, all};
use crate::object::Object;

pub(crate) fn write(object: &Object) -> TokenStream {
    let Some(example) = &object.arguments.create else { return TokenStream::new() };
    let (name, visibility) = (object.create_name(), &object.visibility);
    let about = object.spoken_new();
    let given: Vec<_> =
        object.fields.iter().filter(|field| !matches!(field.create, InCreate::Absent)).collect();
    let fields = given.iter().map(|field| declared(object, field));
    let defaults = given.iter().filter_map(|field| default(field));
    let required = given.iter().filter(|field| required(field));
    let parameters = required.map(|field| {
        let Field { name, kind, .. } = field;
        quote!(#name: #kind)
    });
    let initially = given.iter().map(|field| at_first(object, field));
    let about_new = format!("{} of which only what is required is said.", object.spoken_one());
    let initial = object.fields.iter().filter_map(|field| match &field.create {
        InCreate::State(states) => Some(initial(object, field, states)),
        _ => None,
    });
    let row = row(object, &given);
    quote! {
        #[doc = #about]
        #[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(examples(json!(#example)))]
        #visibility struct #name {
            #(#fields)*
            /// Your own id for the object.
            pub external_id: Option<bodega_kernel::ExternalId>,
            /// Your own pairs of text.
            #[serde(default)]
            pub metadata: bodega_kernel::Metadata,
        }

        impl #name {
            #(#defaults)*

            #[doc = #about_new]
            pub fn new(#(#parameters),*) -> Self {
                Self { #(#initially,)* external_id: None, metadata: Default::default() }
            }
        }

        #(#initial)*
        #row
    }
}

fn declared(object: &Object, field: &Field) -> TokenStream {
    let Field { name, kind, .. } = field;
    let (docs, schema) = (all(&field.docs), all(&field.schema));
    let create = object.create_name();
    match &field.create {
        InCreate::Optional => quote!(#docs #schema pub #name: Option<#kind>,),
        InCreate::Default(_) => {
            let (function, path) = (default_name(name), format!("{create}::default_{name}"));
            quote! {
                #docs
                #[serde(default = #path)]
                #schema
                #[schema(default = #create::#function)]
                pub #name: #kind,
            }
        }
        InCreate::State(_) => {
            let initial = field.initial_name(&object.name);
            quote!(#docs #[serde(default)] #[schema(default = #initial::default)] pub #name: #initial,)
        }
        InCreate::Given | InCreate::ByHand | InCreate::Absent => {
            quote!(#docs #schema pub #name: #kind,)
        }
    }
}

fn required(field: &Field) -> bool {
    matches!(field.create, InCreate::Given | InCreate::ByHand) && !field.nullable()
}

/// What a field is where nothing is said of it.
fn at_first(object: &Object, field: &Field) -> TokenStream {
    let name = &field.name;
    match &field.create {
        InCreate::Default(_) => {
            let function = default_name(name);
            quote!(#name: Self::#function())
        }
        InCreate::State(_) => {
            let initial = field.initial_name(&object.name);
            quote!(#name: #initial::default())
        }
        _ if required(field) => quote!(#name),
        _ => quote!(#name: None),
    }
}

fn default_name(field: &Ident) -> Ident {
    format_ident!("default_{field}")
}

fn default(field: &Field) -> Option<TokenStream> {
    let InCreate::Default(value) = &field.create else { return None };
    let (function, kind) = (default_name(&field.name), &field.kind);
    Some(quote!(pub(crate) fn #function() -> #kind { #value }))
}

/// The states that an object can start in, as a type of their own.
fn initial(object: &Object, field: &Field, states: &[Ident]) -> TokenStream {
    let (name, kind) = (field.initial_name(&object.name), &field.kind);
    let visibility = &object.visibility;
    let about = format!("What {} can start as.", object.spoken());
    let variants = states.iter().enumerate().map(|(index, state)| {
        let default = (index == 0).then(|| quote!(#[default]));
        let about = format!("`{}`.", state.to_string().to_lowercase());
        quote!(#[doc = #about] #default #state,)
    });
    quote! {
        #[doc = #about]
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq,
            serde::Serialize, serde::Deserialize, utoipa::ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #visibility enum #name { #(#variants)* }

        impl From<#name> for #kind {
            fn from(initial: #name) -> Self {
                match initial { #(#name::#states => Self::#states,)* }
            }
        }
    }
}

fn row(object: &Object, given: &[&Field]) -> TokenStream {
    let (view, create, table) = (&object.name, object.create_name(), &object.arguments.table);
    let by_hand = |field: &&Field| {
        matches!(field.create, InCreate::Optional | InCreate::ByHand | InCreate::Absent)
    };
    let arguments: Vec<_> = object
        .fields
        .iter()
        .filter(by_hand)
        .map(|field| (&field.name, &field.kind))
        .chain(object.arguments.hidden.iter().map(|hidden| (&hidden.name, &hidden.kind)))
        .collect();
    let parameters = arguments.iter().map(|(name, kind)| quote!(#name: #kind));
    let taken = given.iter().map(|field| {
        let name = &field.name;
        if by_hand(field) { quote!(#name: _) } else { quote!(#name) }
    });
    let kept = object.fields.iter().flat_map(|field| {
        if let InCreate::State(_) = field.create {
            let name = &field.name;
            return vec![quote!(#name: #name.into(),)];
        }
        field.kept().into_iter().map(|(column, value)| quote!(#column: #value,)).collect()
    });
    let hidden = object.arguments.hidden.iter().map(|hidden| &hidden.name);
    let refers: Vec<_> = given
        .iter()
        .filter(|field| field.refers)
        .map(|field| {
            let (name, pointer) = (&field.name, format!("/{}", field.name));
            match (field.is_list(), field.nullable()) {
                (true, _) => quote!(tx.refer_all(&self.#name, #pointer).await?;),
                (false, true) => {
                    quote!(if let Some(id) = self.#name { tx.refer(id, #pointer).await?; })
                }
                (false, false) => quote!(tx.refer(self.#name, #pointer).await?;),
            }
        })
        .collect();
    let parameters = quote!(tx: &bodega_kernel::Tx, id: bodega_kernel::Id<#view> #(, #parameters)*);
    let (function, about, checked) = if refers.is_empty() {
        (quote!(row), "The row of a new one; what the handler decides is an argument.", None)
    } else {
        let passed = arguments.iter().map(|(name, _)| name);
        let checked = quote! {
            /// The row of a new one; what the handler decides is an argument. What it refers to is
            /// there, and stays until the end of the transaction.
            pub(crate) async fn row(self, #parameters) -> bodega_kernel::Result<#table::Model> {
                #(#refers)*
                Ok(self.unchecked_row(tx, id #(, #passed)*))
            }
        };
        let about = "[`Self::row`], where somebody has seen to it that what it refers to is there.";
        (quote!(unchecked_row), about, Some(checked))
    };
    quote! {
        impl #create {
            #checked

            #[doc = #about]
            pub(crate) fn #function(self, #parameters) -> #table::Model {
                let Self { #(#taken,)* external_id, metadata } = self;
                #table::Model {
                    id: bodega_kernel::Kept::kept(id),
                    organization_id: tx.organization,
                    #(#kept)*
                    #(#hidden,)*
                    external_id,
                    metadata,
                    version: 1,
                    created_at: tx.now,
                    updated_at: tx.now,
                }
            }
        }
    }
}
