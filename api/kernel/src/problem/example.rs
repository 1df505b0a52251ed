//! What an answer with each problem looks like, for the pages about problems.

use super::table as p;
use super::{Code, FieldError, Problem, text};

const PRODUCT: &str = "/v1/products/prod_01k78agk00e008000000000001";
const PRODUCTS: &str = "/v1/products";
const ENDPOINTS: &str = "/v1/webhook_endpoints";

/// An example of a problem, and the path of the call that had it.
pub fn example(code: &'static Code, versions: &[&'static str]) -> (Problem, &'static str) {
    let new = || Problem::new(code);
    match code.code {
        "malformed_json" => (new(), PRODUCTS),
        "query_syntax" | "query_invalid" => (new(), "/graphql"),
        "query_too_large" => (new().with("limit", "depth").with("max", 12), "/graphql"),
        "introspection_off" | "document_not_trusted" | "persisted_query_not_found" => {
            (new(), "/graphql")
        }
        "unauthenticated" => (
            new().detail(text(
                "There is no `Authorization` header; send `Authorization: Bearer <key>`.",
                "Falta el encabezado `Authorization`; envíe `Authorization: Bearer <clave>`.",
            )),
            PRODUCTS,
        ),
        "insufficient_scope" => (Problem::lacks("catalog:write"), PRODUCTS),
        "beyond_own_rights" => (beyond_own_rights(), "/v1/api_keys"),
        "live_only" => (new(), "/v1/organizations"),
        "destination_not_allowed" => (
            new().at(FieldError::body(
                "/url",
                "private_name",
                text(
                    "The host is a name that only a private network knows.",
                    "El servidor es un nombre que solo conoce una red privada.",
                ),
            )),
            ENDPOINTS,
        ),
        "not_found" => (Problem::not_found("product"), PRODUCT),
        "wrong_id_type" => (
            Problem::wrong_id_type("product", "prod"),
            "/v1/products/brand_01k78agk00e008000000000001",
        ),
        "external_id_taken" | "sku_taken" | "barcode_taken" | "slug_taken" | "name_taken" => {
            taken(code)
        }
        "options_taken" => (new(), "/v1/variants"),
        "price_taken" => (new(), "/v1/prices"),
        "in_use" => (new(), "/v1/brands/brand_01k78agk00e008000000000001"),
        "invalid_transition" => (
            new()
                .with("from", "proposed")
                .with("to", "archived")
                .with("allowed", vec!["active", "rejected"])
                .with("allowed_actions", vec!["publish", "reject"]),
            "/v1/products/prod_01k78agk00e008000000000001/archive",
        ),
        "cycle" => (
            new().at(FieldError::body(
                "/parent_id",
                code.code,
                text("would be under itself", "quedaría debajo de sí misma"),
            )),
            "/v1/categories/cat_01k78agk00e008000000000001",
        ),
        "options_mismatch" => (
            new().at(FieldError::body(
                "/options",
                code.code,
                text(
                    "must have one of the product's values for `size`",
                    "debe tener uno de los valores del producto para `size`",
                ),
            )),
            "/v1/variants",
        ),
        "ahead_of_log" => {
            (new().at(FieldError::query("after", code.code, code.about.clone())), "/v1/events")
        }
        "filter_not_valid" => (
            new().at(FieldError::body(
                "/filter",
                code.code,
                text(
                    "line 1, column 14: Syntax error: mismatched input '<EOF>'",
                    "línea 1, columna 14: Syntax error: mismatched input '<EOF>'",
                ),
            )),
            ENDPOINTS,
        ),
        "selection_not_valid" => (
            new().at(FieldError::body(
                "/selection",
                "unknown_field",
                text("`nme` is not a field of `Product`", "`nme` no es un campo de `Product`"),
            )),
            ENDPOINTS,
        ),
        "document_not_valid" => (
            new().at(FieldError::body(
                "/document",
                "query_invalid",
                text("`nme` is not a field of `Product`", "`nme` no es un campo de `Product`"),
            )),
            "/v1/trusted_documents",
        ),
        "header_not_allowed" => (
            new().at(FieldError::body(
                "/custom_headers/0/name",
                code.code,
                text("is set by the webhook itself", "lo pone el propio webhook"),
            )),
            ENDPOINTS,
        ),
        "payload_gone" => (new(), "/v1/webhook_deliveries/whd_01k78agk00e008000000000001/resend"),
        "limit_reached" => (
            new().with("limit", 10).with("of", "webhook_endpoints").detail(text(
                "The plan allows an organization 10 of these: webhook_endpoints.",
                "El plan permite a una organización 10 de éstos: webhook_endpoints.",
            )),
            ENDPOINTS,
        ),
        "version_mismatch" => (new().with("current_version", 8), PRODUCT),
        "payload_too_large" => (new().with("bytes_max", 1_048_576), PRODUCTS),
        "validation_failed" => (
            new()
                .at(FieldError::body(
                    "/status",
                    "enum",
                    text(
                        "must be one of the values there are; did you mean `active`?",
                        "debe ser uno de los valores que hay; ¿quiso decir `active`?",
                    ),
                ))
                .at(FieldError::body("/title", "required", text("is required", "es obligatorio"))),
            PRODUCTS,
        ),
        "unknown_version" => (
            new().with("versions", versions).at(FieldError::new(
                "header",
                "/Bodega-Version",
                code.code,
                text("is not a version of this API", "no es una versión de esta API"),
            )),
            PRODUCTS,
        ),
        "expansion_too_large" | "answer_too_large" => {
            (crate::budget::exceeded(code, "objects", 20_000), PRODUCTS)
        }
        "cost_above_plan" => (new().with("cost", 1_000).with("max", 600), "/v1/batch"),
        "too_much_work" => (
            new().with("limit", "statements").with("max", crate::budget::STATEMENTS_MAX),
            "/v1/batch",
        ),
        "batch_aborted" => (new(), "/v1/batch"),
        "quota_exceeded" => (new().with("violated-policies", vec!["minute"]), PRODUCTS),
        _ => (new(), PRODUCTS),
    }
}

/// Something unique that another object has already.
fn taken(code: &'static Code) -> (Problem, &'static str) {
    let field = code.code.trim_end_matches("_taken");
    let said = text("is taken by another object", "ya lo usa otro objeto");
    let path = match field {
        "sku" | "barcode" => "/v1/variants",
        "name" => "/v1/brands",
        _ => PRODUCTS,
    };
    (Problem::new(code).at(FieldError::body(format!("/{field}"), code.code, said)), path)
}

fn beyond_own_rights() -> Problem {
    Problem::new(&p::BEYOND_OWN_RIGHTS).at(FieldError::body(
        "/expires_at",
        "later_than_own_end",
        text(
            "is later than the calling key's own end",
            "es posterior al fin de la clave que llama",
        ),
    ))
}
