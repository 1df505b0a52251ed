//! The view: what is shown of an object, and how it is made of a row.

use proc_macro2::TokenStream;
use quote::quote;

use crate::field::{Field, InCreate, all};
use crate::object::Object;

pub(crate) fn write(object: &Object) -> TokenStream {
    let (name, visibility, docs) = (&object.name, &object.visibility, all(&object.docs));
    let arguments = &object.arguments;
    let (noun, plural, prefix) = (&arguments.name, &arguments.plural, &arguments.prefix);
    let table = &arguments.table;

    let fields = object.fields.iter().map(|field| {
        let Field { name, kind, .. } = field;
        let (docs, schema) = (all(&field.docs), all(&field.schema));
        quote!(#docs #schema pub #name: #kind,)
    });
    let columns = object.fields.iter().flat_map(Field::column_names);
    let hidden = arguments.hidden.iter().map(|hidden| &hidden.name);
    let shown = object.fields.iter().map(|field| {
        let (name, shown) = (&field.name, field.shown());
        quote!(#name: #shown,)
    });
    let unique = object.fields.iter().filter_map(|field| {
        let unique = field.unique.as_ref()?;
        let (code, column) = (&unique.code, unique.column.to_string());
        let pointer = format!("/{}", field.name);
        Some(quote!(bodega_kernel::Unique { column: #column, pointer: #pointer, code: &#code },))
    });
    let state = object.fields.iter().filter(|field| matches!(field.create, InCreate::State(_)));
    let state = state.map(|field| {
        let (field, kind, text) = (&field.name, &field.kind, field.name.to_string());
        quote! {
            impl bodega_kernel::Stateful for #name {
                type State = #kind;
                const FIELD: &'static str = #text;

                fn state(row: &#table::Model) -> #kind {
                    row.#field
                }

                fn set_state(row: &mut #table::Model, state: #kind) {
                    row.#field = state;
                }
            }
        }
    });
    quote! {
        #docs
        #[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
        #visibility struct #name {
            /// The object's id.
            pub id: bodega_kernel::Id<Self>,
            #(#fields)*
            /// Your own id for the object.
            pub external_id: Option<bodega_kernel::ExternalId>,
            /// Your own pairs of text.
            pub metadata: bodega_kernel::Metadata,
            /// The number of the object's version: 1 when it is made, one more with each change.
            #[schema(minimum = 1)]
            pub version: i64,
            /// When it was made.
            pub created_at: chrono::DateTime<chrono::Utc>,
            /// When it last changed.
            pub updated_at: chrono::DateTime<chrono::Utc>,
        }

        impl bodega_kernel::Noun for #name {
            type Entity = #table::Entity;
            const NAME: &'static str = #noun;
            const PLURAL: &'static str = #plural;
            const PREFIX: &'static str = #prefix;
            const UNIQUE: &'static [bodega_kernel::Unique] =
                &[#(#unique)* bodega_kernel::Unique::EXTERNAL_ID];
        }

        impl From<#table::Model> for #name {
            fn from(row: #table::Model) -> Self {
                let #table::Model {
                    id,
                    organization_id: _,
                    #(#columns,)*
                    #(#hidden: _,)*
                    external_id,
                    metadata,
                    version,
                    created_at,
                    updated_at,
                } = row;
                Self {
                    id: bodega_kernel::Kept::shown(id),
                    #(#shown)*
                    external_id,
                    metadata,
                    version,
                    created_at,
                    updated_at,
                }
            }
        }

        #(#state)*
    }
}
