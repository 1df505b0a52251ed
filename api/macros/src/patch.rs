//! The body that changes an object, and how it changes the row.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::field::{Field, InPatch, all};
use crate::object::Object;

pub(crate) fn write(object: &Object) -> TokenStream {
    let Some(example) = &object.arguments.patch else { return TokenStream::new() };
    let (view, name, visibility) = (&object.name, object.patch_name(), &object.visibility);
    let about = format!("Changes to {}.", object.spoken());
    let fields = object.fields.iter().filter(|field| field.patch != InPatch::Absent);
    let fields = fields.map(|field| {
        let (docs, schema) = (all(&field.docs), all(&field.schema));
        let (name, kind, inner) = (&field.name, field.patch_kind(), field.inner());
        let nullable = match field.nullable() {
            true => quote!(#[schema(value_type = Option<#inner>)]),
            false => quote!(#[schema(nullable = false)]),
        };
        quote!(#docs #[serde(default)] #nullable #schema pub #name: #kind,)
    });
    let by_hand: Vec<_> =
        object.fields.iter().filter(|field| field.patch == InPatch::ByHand).collect();
    let applied = applied(object);
    let changes = match by_hand.is_empty() {
        true => quote! {
            impl bodega_kernel::Changes<#view> for #name { #applied }
        },
        false => split(object, &by_hand, &applied),
    };
    quote! {
        #[doc = #about]
        #[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(examples(json!(#example)))]
        #visibility struct #name {
            #(#fields)*
            /// Your own id for the object.
            #[serde(default)]
            #[schema(value_type = Option<bodega_kernel::ExternalId>)]
            pub external_id: bodega_kernel::Patch<bodega_kernel::ExternalId>,
            /// Pairs to set or, with null, to remove.
            #[serde(default)]
            pub metadata: bodega_kernel::MetadataPatch,
        }

        #changes
    }
}

/// The fields that no handler has to decide.
fn plain(object: &Object) -> impl Iterator<Item = &Field> {
    object.fields.iter().filter(|field| field.patch == InPatch::Given)
}

/// The methods of `Changes`, over the plain fields.
fn applied(object: &Object) -> TokenStream {
    let table = &object.arguments.table;
    let names = plain(object).map(|field| &field.name);
    let applied = plain(object).map(Field::applied);
    let refers: Vec<_> = plain(object)
        .filter(|field| field.refers)
        .map(|field| {
            let (name, pointer) = (&field.name, format!("/{}", field.name));
            match (field.is_list(), field.nullable()) {
                (true, _) => {
                    quote!(if let Some(ids) = &self.#name { tx.refer_all(ids, #pointer).await?; })
                }
                (false, true) => quote! {
                    if let bodega_kernel::Patch::Set(id) = self.#name {
                        tx.refer(id, #pointer).await?;
                    }
                },
                (false, false) => {
                    quote!(if let Some(id) = self.#name { tx.refer(id, #pointer).await?; })
                }
            }
        })
        .collect();
    let check = (!refers.is_empty()).then(|| {
        quote! {
            async fn check(&self, tx: &bodega_kernel::Tx) -> bodega_kernel::Result<()> {
                #(#refers)*
                Ok(())
            }
        }
    });
    quote! {
        #check

        fn apply(self, row: &mut #table::Model) -> bodega_kernel::Result<()> {
            let Self { #(#names,)* external_id, metadata } = self;
            #(#applied)*
            external_id.apply(&mut row.external_id);
            metadata.apply(&mut row.metadata)
        }
    }
}

/// What the handler must decide, apart from what is only written.
fn split(object: &Object, by_hand: &[&Field], applied: &TokenStream) -> TokenStream {
    let (view, patch, visibility) = (&object.name, object.patch_name(), &object.visibility);
    let changes = format_ident!("{view}Changes");
    let about = format!("The changes to {} that are only written.", object.spoken());
    let fields = plain(object).map(|field| {
        let (name, kind) = (&field.name, field.patch_kind());
        quote!(#name: #kind,)
    });
    let kinds = by_hand.iter().map(|field| field.patch_kind());
    let hand: Vec<_> = by_hand.iter().map(|field| &field.name).collect();
    let names: Vec<_> = plain(object).map(|field| &field.name).collect();
    quote! {
        #[doc = #about]
        #[must_use]
        #visibility struct #changes {
            #(#fields)*
            external_id: bodega_kernel::Patch<bodega_kernel::ExternalId>,
            metadata: bodega_kernel::MetadataPatch,
        }

        impl #patch {
            /// What is only written, and what the handler decides.
            pub(crate) fn split(self) -> (#changes, #(#kinds),*) {
                let Self { #(#names,)* #(#hand,)* external_id, metadata } = self;
                (#changes { #(#names,)* external_id, metadata }, #(#hand),*)
            }
        }

        impl bodega_kernel::Changes<#view> for #changes { #applied }
    }
}
