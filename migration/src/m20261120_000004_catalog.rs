//! Products, their variants and prices, and how they are filed.

use sea_orm_migration::prelude::*;

use crate::columns::{
    self, bigint, bigint_null, boolean, index, int, json, reference, stored, stored_indexes, text,
    text_null, unique, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &["brand", "category", "product", "product_category", "variant", "price"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let brand = stored(
            "brand",
            vec![text("name"), text("slug"), text_null("description"), text_null("website")],
        );
        let mut category = stored(
            "category",
            vec![
                uuid_null("parent_id"),
                text("name"),
                text("slug"),
                text_null("description"),
                int("position"),
            ],
        );
        category.foreign_key(&mut reference("category", "parent_id", "category"));
        let mut product = stored(
            "product",
            vec![
                text("title"),
                text("slug"),
                text_null("description"),
                text("kind"),
                text("status"),
                uuid_null("brand_id"),
                text_null("tax_category"),
                json("category_ids"),
                json("options"),
            ],
        );
        product.foreign_key(&mut reference("product", "brand_id", "brand"));
        let filed = Table::create()
            .table("product_category")
            .col(uuid("product_id"))
            .col(uuid("category_id"))
            .col(uuid("organization_id"))
            .col(int("position"))
            .primary_key(Index::create().col("product_id").col("category_id"))
            .foreign_key(&mut reference("product_category", "product_id", "product"))
            .foreign_key(&mut reference("product_category", "category_id", "category"))
            .take();
        let mut variant = stored(
            "variant",
            vec![
                uuid("product_id"),
                text("title"),
                text("sku"),
                text_null("barcode"),
                json("options"),
                text("options_key"),
                text("unit"),
                bigint_null("weight_grams"),
                bigint_null("length_mm"),
                bigint_null("width_mm"),
                bigint_null("height_mm"),
                boolean("track_inventory"),
                boolean("allow_backorder"),
                bigint_null("cost_amount"),
                text_null("cost_currency"),
                bigint_null("retail_price_amount"),
                text_null("retail_price_currency"),
                int("position"),
            ],
        );
        variant.foreign_key(&mut reference("variant", "product_id", "product"));
        let mut price = stored(
            "price",
            vec![uuid("variant_id"), text("currency"), bigint("amount"), bigint("min_quantity")],
        );
        price.foreign_key(&mut reference("price", "variant_id", "variant"));

        let mut indexes: Vec<_> = ["brand", "category", "product", "variant", "price"]
            .into_iter()
            .flat_map(stored_indexes)
            .collect();
        indexes.extend([
            unique("brand", &["organization_id", "slug"]),
            index("brand", &["organization_id", "name", "id"]),
            unique("category", &["organization_id", "slug"]),
            index("category", &["organization_id", "name", "id"]),
            index("category", &["organization_id", "parent_id", "created_at", "id"]),
            index("category", &["parent_id"]),
            unique("product", &["organization_id", "slug"]),
            index("product", &["organization_id", "title", "id"]),
            index("product", &["organization_id", "status", "created_at", "id"]),
            index("product", &["organization_id", "brand_id", "created_at", "id"]),
            index("product", &["brand_id"]),
            index("product_category", &["category_id", "product_id"]),
            unique("variant", &["organization_id", "sku"]),
            unique("variant", &["organization_id", "barcode"]),
            unique("variant", &["product_id", "options_key"]),
            index("variant", &["organization_id", "product_id", "id"]),
            unique("price", &["variant_id", "currency", "min_quantity"]),
            index("price", &["organization_id", "variant_id", "id"]),
        ]);
        let tables = vec![brand, category, product, filed, variant, price];
        columns::create(manager, tables, indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, TABLES).await
    }
}
