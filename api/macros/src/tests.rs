//! What the macro writes for three samples is committed in `expansions`, and held against it here.
//! `BODEGA_BLESS=1` writes it anew.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

fn written(arguments: TokenStream, item: TokenStream) -> String {
    let expanded = crate::expand(arguments, item).unwrap();
    prettyplease::unparse(&syn::parse2(expanded).unwrap())
}

fn refused(arguments: TokenStream, item: TokenStream) -> String {
    crate::expand(arguments, item).unwrap_err().to_string()
}

fn compare(name: &str, written: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("expansions/{name}.rs"));
    if std::env::var_os("BODEGA_BLESS").is_some() {
        std::fs::write(&file, written).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(committed, written, "{}: BODEGA_BLESS=1 writes it anew", file.display());
}

#[test]
fn plain_fields() {
    let arguments = quote! {
        name = "brand", plural = "brands", prefix = "brand", table = entity::catalog::brand,
        create = {"name": "Casa Norte"}, patch = {"website": null},
    };
    let item = quote! {
        /// A maker's name that goods carry.
        pub struct Brand {
            /// The name shown to customers.
            pub name: Name,
            /// The name in URLs.
            #[create(optional)]
            #[unique(problem::SLUG_TAKEN)]
            pub slug: Slug,
            /// The brand's website.
            pub website: Option<WebUrl>,
        }
    };
    compare("plain_fields", &written(arguments, item));
}

#[test]
fn states_references_and_fields_by_hand() {
    let arguments = quote! {
        name = "product", plural = "products", prefix = "prod", table = entity::catalog::product,
        create = {"title": "Work shirt"}, patch = {"brand_id": null},
    };
    let item = quote! {
        /// Something that is sold.
        pub struct Product {
            /// Where it is in its life.
            #[state(Draft, Active)]
            pub status: Status,
            /// The brand it carries.
            #[refers]
            pub brand_id: Option<Id<Brand>>,
            /// The categories it is filed under.
            #[create(default)]
            #[patch(by_hand)]
            #[refers]
            pub category_ids: Distinct<Id<Category>, 10>,
        }
    };
    compare("states_references_and_fields_by_hand", &written(arguments, item));
}

#[test]
fn several_columns_and_hidden_ones() {
    let arguments = quote! {
        name = "variant", plural = "variants", prefix = "var", table = entity::catalog::variant,
        hidden(options_key: String),
        create = {"sku": "SHIRT-M"}, patch = {"sku": "SHIRT-M-2"},
    };
    let item = quote! {
        /// One thing that can be picked, scanned and priced.
        pub struct Variant {
            /// The product it is a variant of.
            #[create(by_hand)]
            #[patch(skip)]
            pub product_id: Id<Product>,
            /// The unit it is counted in.
            #[create(default = Line::made("each"))]
            pub unit: Line<20>,
            /// What one unit costs the shop.
            #[columns(amount = cost_amount, currency = cost_currency)]
            pub cost: Option<Money>,
            /// The unit price.
            #[columns(amount = amount, currency = currency)]
            pub price: Money,
            /// When it was last counted.
            #[read_only]
            pub counted_at: Option<DateTime<Utc>>,
        }
    };
    compare("several_columns_and_hidden_ones", &written(arguments, item));
}

#[test]
fn what_is_wrong_is_told() {
    let arguments =
        || quote!(name = "a", plural = "b", prefix = "a", table = a, create = {}, patch = {});
    for (item, told) in [
        (
            quote!(
                struct A {
                    a: B,
                }
            ),
            "a field says what it is, in a comment",
        ),
        (
            quote!(
                struct A {
                    /// A.
                    #[by_hand]
                    a: B,
                }
            ),
            "is not known on a field",
        ),
        (
            quote!(
                struct A {
                    /// A.
                    #[create(maybe)]
                    a: B,
                }
            ),
            "is `optional`, `default`, `default = …` or `by_hand`",
        ),
        (
            quote!(
                #[derive(Debug)]
                struct A {}
            ),
            "only documentation stands here",
        ),
    ] {
        assert_eq!(refused(arguments(), item), told);
    }
    let error = refused(
        quote!(name = "a"),
        quote!(
            struct A {}
        ),
    );
    assert_eq!(error, "`plural = …` is missing");
    let error = refused(
        quote!(nom = "a"),
        quote!(
            struct A {}
        ),
    );
    assert_eq!(error, "is not known here");
}
