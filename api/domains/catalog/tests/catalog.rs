//! The catalog's rules over a real database: SQLite in a temporary folder, or the one that
//! `CATALOG_TEST_DATABASE_URL` names (then with `--test-threads=1`).

use std::collections::HashSet;
use std::sync::Arc;

use bodega_catalog::import::{self, ImportRow, Imported};
use bodega_catalog::{Brand, Product};
use bodega_contract::{Access, Handler, Input, Leads, Registry, Reply, Resource, read_id};
use bodega_kernel::values::{CountryCode, Label, LanguageTag, TimeZone};
use bodega_kernel::{
    Actor, Cx, Database, Keys, ListQuery, Op, Origin, Platform, Problem, ScopeSet, Sort,
    SystemClock, Tx, Versions,
};
use bodega_kernel::{CurrencyCode, Metadata};
use migration::MigratorTrait;
use serde_json::{Value, json};

type Result<T, E = Problem> = std::result::Result<T, E>;

/// A shop with an empty catalog, and the declared operations to work on it.
struct Shop {
    registry: Registry,
    platform: Arc<Platform>,
    organization: uuid::Uuid,
    _folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
        let url = std::env::var("CATALOG_TEST_DATABASE_URL").unwrap_or(file);
        let db = Database::open(&url, 4).await.unwrap();
        migration::Migrator::up(db.writer(), None).await.unwrap();
        let organization = uuid::Uuid::now_v7();
        found(&db, organization).await;
        let keys = Keys { sealing: b"test", encryption: b"test" };
        let versions = Versions::new("2026-11-20", Vec::new());
        let platform = Arc::new(Platform::new(db, Arc::new(SystemClock), versions, keys));
        let registry = Registry::new(bodega_catalog::resources());
        Self { registry, platform, organization, _folder: folder }
    }

    fn cx(&self) -> Cx {
        Cx::reading(
            self.platform.clone(),
            self.organization,
            Actor { kind: "system", id: None },
            Arc::new(ScopeSet::all()),
            Origin::system("test", "2026-11-20"),
        )
    }

    /// One operation as the corridor would run it: checked, in a transaction of its own.
    async fn call(&self, operation: &str, id: &str, body: Value) -> Result<Value> {
        let operation = self.registry.operation(operation).unwrap();
        let mut input = Input { id: Some(id.to_owned()), ..Input::default() };
        if let Some(schema) = &operation.input {
            bodega_corridor::check(schema, self.registry.schemas(), &body)?;
            input.body = body;
        }
        let reply = match &operation.handler {
            Handler::Query(run) => {
                input.list = Some(whole());
                run(self.cx(), input).await?
            }
            Handler::Command(run) => {
                let tx = Tx::open(&self.cx()).await?;
                match run(tx.clone(), input).await {
                    Ok(reply) => {
                        assert_eq!(tx.undeclared(&operation.emits), None, "{}", operation.id);
                        tx.commit(Vec::new()).await?;
                        reply
                    }
                    Err(problem) => {
                        tx.rollback().await?;
                        return Err(problem);
                    }
                }
            }
            Handler::Batch => unreachable!("the catalog has no batches"),
        };
        Ok(match reply {
            Reply::One(object) => object.tree().unwrap(),
            Reply::Page(page) => page.data.iter().map(|object| object.tree().unwrap()).collect(),
        })
    }

    async fn create(&self, resource: &str, body: Value) -> Result<Value> {
        self.call(&format!("{resource}.create"), "", body).await
    }

    async fn update(&self, resource: &str, object: &Value, body: Value) -> Result<Value> {
        self.call(&format!("{resource}.update"), id(object), body).await
    }

    async fn act(&self, operation: &str, object: &Value) -> Result<Value> {
        self.call(operation, id(object), Value::Null).await
    }

    async fn list(&self, resource: &str) -> Vec<Value> {
        let page = self.call(&format!("{resource}.list"), "", Value::Null).await.unwrap();
        page.as_array().unwrap().clone()
    }

    async fn linked(&self, resource: &str, link: &str, object: &Value) -> Vec<Value> {
        let links = self.registry.links(resource);
        let link = links.iter().find(|other| other.name == link).unwrap();
        let key = read_id(object[link.key].as_str().unwrap()).unwrap();
        let found = match &link.leads {
            Leads::One(load) | Leads::Few { load, .. } => load(self.cx(), vec![key]).await,
            Leads::Pages { load, .. } => {
                let (_, rule) = self.registry.pages(link).unwrap();
                load(self.cx(), rule.condition(Op::Eq, Vec::new()), vec![key], whole()).await
            }
        }
        .unwrap();
        let places = found.of.get(&key).map(Vec::as_slice).unwrap_or_default();
        places.iter().map(|place| found.objects[*place].0.tree().unwrap()).collect()
    }

    /// What an import did, and how many statements it took.
    async fn import(&self, rows: &[ImportRow]) -> (Imported, u32) {
        let tx = Tx::open(&self.cx()).await.unwrap();
        let imported = import::import(&tx, rows).await.unwrap();
        let statements = tx.db().statements();
        tx.commit(Vec::new()).await.unwrap();
        (imported, statements)
    }

    async fn product(&self, options: Value) -> Value {
        let body = json!({"title": "Shirt", "options": options});
        self.create("product", body).await.unwrap()
    }

    async fn variant(&self, product: &Value, sku: &str) -> Value {
        let sku = format!("{sku}-{}", self.organization.simple());
        let body = json!({"product_id": id(product), "sku": sku});
        self.create("variant", body).await.unwrap()
    }
}

fn whole() -> ListQuery {
    ListQuery {
        filters: Vec::new(),
        sort: Sort { field: "created_at".to_owned(), descending: true },
        limit: 100,
        cursor: None,
        count: true,
        after: None,
        wait: Default::default(),
        way: None,
    }
}

#[expect(clippy::disallowed_methods, reason = "an organization is not made by the catalog")]
async fn found(db: &Database, id: uuid::Uuid) {
    use entity::identity::organization::{Entity, Mode, Model};
    use sea_orm::{EntityTrait, IntoActiveModel};
    let now = bodega_kernel::micros(bodega_kernel::Clock::now(&SystemClock));
    let row = Model {
        id,
        name: Label::made("Test"),
        mode: Mode::Test,
        sandbox_of: None,
        country: CountryCode::made("MX"),
        currency: CurrencyCode::MXN,
        language: LanguageTag::made("es-MX"),
        time_zone: TimeZone::made("America/Mexico_City"),
        trusted_documents_only: false,
        external_id: None,
        metadata: Metadata::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    Entity::insert(row.into_active_model()).exec_without_returning(db.writer()).await.unwrap();
}

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// The problem's code and where in the request it was.
fn refusal(result: Result<Value>) -> (&'static str, String) {
    let problem = result.unwrap_err();
    let pointer = problem.errors.first().map(|error| error.pointer.clone());
    (problem.code.code, pointer.unwrap_or_default())
}

fn at(code: &'static str, pointer: &str) -> (&'static str, String) {
    (code, pointer.to_owned())
}

#[test]
fn the_declarations_are_whole() {
    let registry = Registry::new(bodega_catalog::resources());
    assert_eq!(registry.lint(), Vec::<String>::new());
}

#[test]
fn a_link_to_pages_needs_the_filter_that_finds_the_same() {
    for (filter, is_right) in
        [("brand_id", true), ("category_id", false), ("title", false), ("nope", false)]
    {
        let brand = Resource::<Brand>::new(
            Access { read: "catalog:read", write: "catalog:write" },
            "a brand",
        );
        let brand = brand.has_pages::<Product>("goods", filter);
        let all = bodega_catalog::resources().into_iter().chain([brand.into()]);
        let faults = Registry::new(all).lint();
        let told = faults.iter().any(|fault| fault.starts_with("brand.goods: product.list"));
        assert_eq!(told, !is_right, "{filter}: {faults:?}");
    }
}

#[test]
fn a_patch_requires_nothing_and_takes_null_only_where_the_view_has_it() {
    let registry = Registry::new(bodega_catalog::resources());
    for (resource, view) in [
        ("brand", "Brand"),
        ("category", "Category"),
        ("product", "Product"),
        ("variant", "Variant"),
        ("price", "Price"),
    ] {
        let update = registry.operation(&format!("{resource}.update")).unwrap();
        let input = update.input.as_ref().unwrap();
        let schema = &registry.schemas().0[&input.name];
        assert_eq!(schema.get("required"), None, "{resource}");
        assert_eq!(schema["additionalProperties"], false, "{resource}");
        bodega_corridor::check(input, registry.schemas(), &json!({})).unwrap();
        for field in registry.schemas().fields(&input.name) {
            let shown = &registry.schemas().0[view]["properties"][field];
            assert_ne!(*shown, Value::Null, "{resource}.{field} is not shown");
            let nullable = format!("{shown}").contains(r#""null""#);
            let takes =
                bodega_corridor::check(input, registry.schemas(), &json!({field: null})).is_ok();
            assert_eq!(takes, nullable, "{resource}.{field}: {shown}");
        }
    }
}

#[tokio::test]
async fn one_of_each_is_made_changed_and_removed() {
    let shop = Shop::open().await;
    let brand = shop.create("brand", json!({"name": "Peñón"})).await.unwrap();
    assert!(brand["slug"].as_str().unwrap().starts_with("penon-"));
    assert_eq!(brand["version"], 1);
    assert!(brand["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(brand["metadata"], json!({}));
    let same = shop.create("brand", json!({"name": "Peñón"})).await.unwrap();
    let slug = json!({"slug": brand["slug"]});
    assert_eq!(refusal(shop.update("brand", &same, slug).await), at("slug_taken", "/slug"));
    for bad in [
        json!({"name": ""}),
        json!({"name": " \t"}),
        json!({"name": "x".repeat(201)}),
        json!({"name": "x", "slug": "A b"}),
        json!({"name": "x", "website": "javascript:alert(1)"}),
        json!({"name": "x", "website": "https://exa mple"}),
        json!({"name": "x", "external_id": ""}),
        json!({"name": "x", "colour": "red"}),
        json!({}),
    ] {
        let refused = refusal(shop.create("brand", bad.clone()).await);
        assert_eq!(refused.0, "validation_failed", "{bad}");
    }
    let patch = json!({"name": "Peña", "website": "https://pena.example", "external_id": "b-1",
        "metadata": {"a": "1"}});
    let brand = shop.update("brand", &brand, patch).await.unwrap();
    let brand = shop.update("brand", &brand, json!({"website": null})).await.unwrap();
    assert_eq!((&brand["version"], &brand["website"]), (&json!(3), &Value::Null));
    assert_eq!((&brand["external_id"], &brand["name"]), (&json!("b-1"), &json!("Peña")));

    let tops = shop.create("category", json!({"name": "Tops"})).await.unwrap();
    let sale = shop.create("category", json!({"name": "Sale"})).await.unwrap();
    let body = json!({"title": "Shirt", "brand_id": id(&brand), "status": "active",
        "category_ids": [id(&tops), id(&sale)], "metadata": {"shelf": "A"}});
    let product = shop.create("product", body).await.unwrap();
    assert_eq!(product["status"], "active");
    assert_eq!(product["category_ids"], json!([id(&tops), id(&sale)]));
    assert_eq!(refusal(shop.act("brand.delete", &brand).await).0, "in_use");
    assert_eq!(refusal(shop.act("category.delete", &sale).await).0, "in_use");
    assert_eq!(shop.linked("product", "categories", &product).await, [tops.clone(), sale.clone()]);
    assert_eq!(shop.linked("product", "brand", &product).await, vec![brand.clone()]);

    let sold = json!({"category_ids": [id(&sale)], "brand_id": null, "metadata": {"shelf": null}});
    let product = shop.update("product", &product, sold.clone()).await.unwrap();
    assert_eq!((&product["version"], &product["metadata"]), (&json!(2), &json!({})));
    let again = shop.update("product", &product, sold).await.unwrap();
    assert_eq!(again["version"], 2);
    assert_eq!(shop.linked("product", "categories", &product).await, vec![sale.clone()]);
    shop.act("brand.delete", &brand).await.unwrap();
    shop.act("category.delete", &tops).await.unwrap();

    let variant = shop.variant(&product, "shirt").await;
    assert_eq!(variant["title"], "Shirt");
    assert_eq!((&variant["unit"], &variant["track_inventory"]), (&json!("each"), &json!(true)));
    let cost = json!({"amount": 500, "currency": "MXN"});
    let sides = json!({"length_mm": 3, "width_mm": 2, "height_mm": 1});
    let patch = json!({"cost": cost, "dimensions": sides, "weight_grams": 250});
    let variant = shop.update("variant", &variant, patch).await.unwrap();
    assert_eq!((&variant["cost"], &variant["dimensions"]), (&cost, &sides));
    let variant = shop.update("variant", &variant, json!({"dimensions": null})).await.unwrap();
    assert_eq!((&variant["cost"], &variant["dimensions"]), (&cost, &Value::Null));

    let body = json!({"variant_id": id(&variant), "unit_price": cost});
    let price = shop.create("price", body.clone()).await.unwrap();
    assert_eq!(price["min_quantity"], "1");
    assert_eq!(refusal(shop.create("price", body).await), at("price_taken", "/min_quantity"));
    let patch = json!({"unit_price": {"amount": 7, "currency": "USD"}, "min_quantity": "2.50"});
    let price = shop.update("price", &price, patch).await.unwrap();
    assert_eq!(price["unit_price"], json!({"amount": 7, "currency": "USD"}));
    assert_eq!(price["min_quantity"], "2.5");
    assert_eq!(shop.linked("variant", "prices", &variant).await, [price]);
    assert_eq!(shop.linked("product", "variants", &product).await, [variant]);

    let gone = shop.act("product.delete", &product).await.unwrap();
    assert_eq!(gone, json!({"id": product["id"], "deleted": true}));
    for resource in ["product", "variant", "price"] {
        assert_eq!(shop.list(resource).await, Vec::<Value>::new());
    }
    assert_eq!(refusal(shop.act("product.get", &product).await).0, "not_found");
    shop.act("category.delete", &sale).await.unwrap();
}

#[tokio::test]
async fn what_a_body_points_at_has_to_be_there() {
    let shop = Shop::open().await;
    let absent = |prefix: &str| format!("{prefix}_01k78agk00e008000000000001");
    for (resource, body, pointer) in [
        ("category", json!({"name": "A", "parent_id": absent("cat")}), "/parent_id"),
        ("product", json!({"title": "A", "brand_id": absent("brand")}), "/brand_id"),
        ("product", json!({"title": "A", "category_ids": [absent("cat")]}), "/category_ids/0"),
        ("variant", json!({"sku": "A", "product_id": absent("prod")}), "/product_id"),
        (
            "price",
            json!({"unit_price": {"amount": 1, "currency": "MXN"}, "variant_id": absent("var")}),
            "/variant_id",
        ),
    ] {
        assert_eq!(refusal(shop.create(resource, body).await), at("not_found", pointer));
    }
    let body = json!({"title": "A", "category_ids": [absent("brand")]});
    assert_eq!(refusal(shop.create("product", body).await), at("wrong_id_type", "/category_ids/0"));
    let body = json!({"title": "A", "category_ids": [absent("cat"), absent("cat")]});
    assert_eq!(
        refusal(shop.create("product", body).await),
        at("validation_failed", "/category_ids")
    );
}

#[tokio::test]
async fn the_tree_has_no_cycle_and_no_eleventh_level() {
    let shop = Shop::open().await;
    let mut chain = vec![shop.create("category", json!({"name": "1"})).await.unwrap()];
    for level in 2..=10 {
        let body = json!({"name": level.to_string(), "parent_id": id(&chain[level - 2])});
        chain.push(shop.create("category", body).await.unwrap());
    }
    let under = |parent: &Value| json!({"parent_id": id(parent)});
    let body = json!({"name": "11", "parent_id": id(&chain[9])});
    assert_eq!(refusal(shop.create("category", body).await), at("cycle", "/parent_id"));
    for descendant in [&chain[0], &chain[1], &chain[9]] {
        let refused = shop.update("category", &chain[0], under(descendant)).await;
        assert_eq!(refusal(refused), at("cycle", "/parent_id"));
    }
    // A root with one under it may go to level 9, not to level 10.
    let root = shop.create("category", json!({"name": "root"})).await.unwrap();
    let body = json!({"name": "leaf", "parent_id": id(&root)});
    let leaf = shop.create("category", body).await.unwrap();
    let refused = shop.update("category", &root, under(&chain[8])).await;
    assert_eq!(refusal(refused), at("cycle", "/parent_id"));
    let root = shop.update("category", &root, under(&chain[7])).await.unwrap();
    assert_eq!(shop.linked("category", "parent", &root).await, [chain[7].clone()]);
    assert_eq!(shop.linked("category", "children", &root).await, vec![leaf.clone()]);
    assert_eq!(refusal(shop.act("category.delete", &root).await).0, "in_use");
    let root = shop.update("category", &root, json!({"parent_id": null})).await.unwrap();
    assert_eq!(root["parent_id"], Value::Null);
    shop.act("category.delete", &leaf).await.unwrap();
    shop.act("category.delete", &root).await.unwrap();
}

#[tokio::test]
async fn a_variant_has_exactly_the_options_of_its_product() {
    let shop = Shop::open().await;
    let sizes = json!([{"name": "Size", "values": ["S", "M"]}]);
    let product = shop.product(sizes.clone()).await;
    let body = |sku: &str, options: Value| {
        let sku = format!("{sku}-{}", shop.organization.simple());
        json!({"product_id": id(&product), "sku": sku, "options": options})
    };
    for misfit in [json!({}), json!({"Size": "L"}), json!({"Size": "S", "Cut": "Slim"})] {
        let refused = shop.create("variant", body("x", misfit)).await;
        assert_eq!(refusal(refused), at("options_mismatch", "/options"));
    }
    let small = shop.create("variant", body("s", json!({"Size": "S"}))).await.unwrap();
    assert_eq!(small["title"], "S");
    let refused = shop.create("variant", body("t", json!({"Size": "S"}))).await;
    assert_eq!(refusal(refused), at("options_taken", "/options"));
    let refused = shop.create("variant", body("s", json!({"Size": "M"}))).await;
    assert_eq!(refusal(refused), at("sku_taken", "/sku"));

    let options = json!({"options": {"Size": "M"}});
    let medium = shop.update("variant", &small, options).await.unwrap();
    assert_eq!((&medium["title"], &medium["options"]), (&json!("M"), &json!({"Size": "M"})));
    let named = shop.update("variant", &medium, json!({"title": "Own"})).await.unwrap();
    let back = json!({"options": {"Size": "S"}});
    assert_eq!(shop.update("variant", &named, back).await.unwrap()["title"], "Own");

    for (options, code, pointer) in [
        (json!([]), "options_mismatch", "/options"),
        (json!([{"name": "Size", "values": ["M"]}]), "options_mismatch", "/options"),
        (json!([sizes[0], sizes[0]]), "options_mismatch", "/options/1/name"),
        (json!([{"name": "Size", "values": ["S", "S"]}]), "validation_failed", "/options/0/values"),
        (json!([{"name": " ", "values": ["S"]}]), "validation_failed", "/options/0/name"),
    ] {
        let refused = shop.update("product", &product, json!({"options": options})).await;
        assert_eq!(refusal(refused), at(code, pointer));
    }
    let more = json!({"options": [{"name": "Size", "values": ["M", "S", "L"]}]});
    shop.update("product", &product, more).await.unwrap();
}

#[tokio::test]
async fn a_status_changes_only_through_its_actions() {
    let shop = Shop::open().await;
    let product = shop.product(json!([])).await;
    let refused = shop.update("product", &product, json!({"status": "active"})).await;
    assert_eq!(refusal(refused), at("validation_failed", "/status"));
    for (action, status) in [
        ("propose", "proposed"),
        ("reject", "rejected"),
        ("reopen", "draft"),
        ("publish", "active"),
        ("archive", "archived"),
        ("publish", "active"),
    ] {
        let product = shop.act(&format!("product.{action}"), &product).await.unwrap();
        assert_eq!(product["status"], status);
    }
    let refused = shop.act("product.publish", &product).await.unwrap_err();
    assert_eq!(refused.code.code, "invalid_transition");
    assert_eq!(refused.extra["allowed"], json!(["archived"]));
}

#[tokio::test]
async fn a_parent_holds_a_hundred_and_takes_all_with_it() {
    let shop = Shop::open().await;
    let values: Vec<_> = (0..100).map(|value| value.to_string()).collect();
    let product = shop
        .product(json!([{"name": "A", "values": values},
        {"name": "B", "values": ["0", "1"]}]))
        .await;
    let body = |n: usize, b: &str| {
        json!({"product_id": id(&product), "sku": format!("{}-{n}-{b}", shop.organization.simple()),
            "options": {"A": n.to_string(), "B": b}})
    };
    let first = shop.create("variant", body(0, "0")).await.unwrap();
    for n in 1..100 {
        shop.create("variant", body(n, "0")).await.unwrap();
    }
    assert_eq!(refusal(shop.create("variant", body(0, "1")).await).0, "limit_reached");
    let price = |from: usize| {
        json!({"variant_id": id(&first), "min_quantity": from.to_string(),
            "unit_price": {"amount": 100, "currency": "MXN"}})
    };
    for from in 0..100 {
        shop.create("price", price(from)).await.unwrap();
    }
    assert_eq!(refusal(shop.create("price", price(100)).await).0, "limit_reached");
    shop.act("variant.delete", &first).await.unwrap();
    shop.create("variant", body(0, "1")).await.unwrap();
    shop.act("product.delete", &product).await.unwrap();
    assert_eq!(shop.list("variant").await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_happens_at_once_ends_as_if_one_after_the_other() {
    let shop = Shop::open().await;
    for round in 0..10 {
        let a = shop.create("category", json!({"name": "A"})).await.unwrap();
        let b = shop.create("category", json!({"name": "B"})).await.unwrap();
        let (one, other) = tokio::join!(
            shop.update("category", &a, json!({"parent_id": id(&b)})),
            shop.update("category", &b, json!({"parent_id": id(&a)})),
        );
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(refusal(one.and(other)), at("cycle", "/parent_id"));

        let product = shop.product(json!([{"name": "Size", "values": ["S", "M"]}])).await;
        let body = |sku: &str| {
            json!({"product_id": id(&product), "options": {"Size": "S"},
                "sku": format!("{sku}-{round}-{}", shop.organization.simple())})
        };
        let (one, other) =
            tokio::join!(shop.create("variant", body("s")), shop.create("variant", body("t")));
        let variant = one.as_ref().or(other.as_ref()).unwrap().clone();
        assert_eq!(refusal(one.and(other)), at("options_taken", "/options"));

        let price = json!({"variant_id": id(&variant),
            "unit_price": {"amount": 100, "currency": "MXN"}});
        let (priced, moved, gone) = tokio::join!(
            shop.create("price", price),
            shop.update("variant", &variant, json!({"options": {"Size": "M"}})),
            shop.act("product.delete", &product),
        );
        gone.unwrap();
        for late in [priced, moved] {
            assert!(late.is_ok() || refusal(late).0 == "not_found");
        }
    }
    assert_eq!(shop.list("price").await, Vec::<Value>::new());
}

fn rows(count: usize) -> Vec<ImportRow> {
    let row = |n: usize| ImportRow {
        line: n as u64 + 2,
        external_id: format!("p-{n}"),
        title: format!("Product {n}"),
        brand: format!("Brand {}", n % 7),
        category: format!("Root > Middle {} > Leaf {}", n % 3, n % 5),
        sku: format!("sku-{n}"),
        option: if n.is_multiple_of(2) { "12 OZ".to_owned() } else { String::new() },
        price: "19.99".to_owned(),
        currency: "MXN".to_owned(),
        description: String::new(),
    };
    (0..count).map(row).collect()
}

#[tokio::test]
async fn an_import_can_be_repeated() {
    let shop = Shop::open().await;
    let mut three = rows(3);
    let (first, _) = shop.import(&three).await;
    let all = Imported { products: 3, brands: 3, categories: 7, ..Imported::default() };
    assert_eq!(first, all);
    let (again, _) = shop.import(&three).await;
    assert_eq!(again, Imported { skipped: 3, ..Imported::default() });

    let products = shop.list("product").await;
    let product = products.iter().find(|product| product["external_id"] == "p-2").unwrap();
    assert_eq!((&product["status"], &product["title"]), (&json!("active"), &json!("Product 2")));
    let variants = shop.linked("product", "variants", product).await;
    assert_eq!(variants[0]["options"], json!({"Size": "12 OZ"}));
    let prices = shop.linked("variant", "prices", &variants[0]).await;
    assert_eq!(prices[0]["unit_price"], json!({"amount": 1999, "currency": "MXN"}));
    let leaf = &shop.linked("product", "categories", product).await[0];
    let middle = &shop.linked("category", "parent", leaf).await[0];
    assert_eq!((&leaf["name"], &middle["name"]), (&json!("Leaf 2"), &json!("Middle 2")));

    // What is wrong with a row is wrong with that row alone.
    three[0].external_id = "p-9".to_owned();
    three[1] = ImportRow { external_id: "p-8".into(), sku: "s-8".into(), ..three[1].clone() };
    three[2] = ImportRow { external_id: "p-7".into(), price: "free".into(), ..three[2].clone() };
    let (mixed, _) = shop.import(&three).await;
    assert_eq!((mixed.products, mixed.brands, mixed.categories), (1, 0, 0));
    let rejected: HashSet<_> = mixed.rejected.iter().map(|e| (e.line, e.field)).collect();
    assert_eq!(rejected, HashSet::from([(2, "sku"), (4, "price")]));
}

#[tokio::test]
async fn an_import_takes_as_many_statements_for_many_rows_as_for_few() {
    let shop = Shop::open().await;
    let (few, statements_few) = shop.import(&rows(15)).await;
    assert_eq!(few.products, 15);
    let shop = Shop::open().await;
    let (many, statements_many) = shop.import(&rows(500)).await;
    assert_eq!((many.products, many.rejected.len()), (500, 0));
    assert_eq!(statements_few, statements_many);
}
