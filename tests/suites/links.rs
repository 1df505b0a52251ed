//! Links that may lead to any number of objects: they come by pages, the page of every object in one
//! statement, and cost what is shown rather than what there is.

use std::time::{Duration, Instant};

use bodega_tests::{Db, Server, both};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

both!(
    a_page_costs_no_more_where_there_are_many,
    pages_of_twenty_objects_cost_one_statement,
    products_are_found_by_their_categories,
    what_another_organization_has_is_not_found,
);

/// How many products the large category and the large brand have.
const MANY: usize = 50_000;

/// No page takes longer, also in a build for tests on a busy machine.
const PAGE_WITHIN: Duration = Duration::from_secs(2);

async fn post(server: &Server, path: &str, body: Value) -> Value {
    server.call("POST", path).json(&body).send().await.expect(201)
}

fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id")
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().expect("rows").iter().map(id).collect()
}

async fn category(server: &Server, name: &str, parent: Option<&Value>) -> Value {
    let parent = parent.map(|parent| parent["id"].clone());
    post(server, "/v1/categories", json!({"name": name, "parent_id": parent})).await
}

async fn product(server: &Server, title: &str, categories: &[&Value]) -> Value {
    let categories: Vec<_> = categories.iter().map(|one| id(one)).collect();
    post(server, "/v1/products", json!({"title": title, "category_ids": categories})).await
}

async fn get(server: &Server, path: &str) -> Value {
    server.call("GET", path).send().await.expect(200)
}

/// How many statements a call costs, and its answer.
async fn counted(server: &Server, path: &str) -> (f64, Value) {
    let mut fewest = f64::MAX;
    let mut answer = get(server, path).await;
    for _ in 0..3 {
        let before = server.metric("bodega_sql_statements_total").await;
        answer = get(server, path).await;
        fewest = fewest.min(server.metric("bodega_sql_statements_total").await - before);
    }
    (fewest, answer)
}

/// Copies a product many times, behind the program's back: all of one instant, so that only their ids
/// order them.
async fn copy(server: &Server, slug: &str, times: usize) {
    let db = server.database().await;
    let new_id = match server.backend() {
        sea_orm::DbBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    let rest = "description, kind, status, brand_id, tax_category, category_ids, options, \
                external_id, metadata, version, created_at, updated_at";
    let sql = [
        format!(
            "INSERT INTO product (id, organization_id, title, slug, {rest}) \
             WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {times}) \
             SELECT {new_id}, organization_id, title, slug || '-' || x, {rest} \
             FROM product, n WHERE slug = '{slug}'"
        ),
        format!(
            "INSERT INTO product_category (product_id, category_id, organization_id, position) \
             SELECT copy.id, filed.category_id, copy.organization_id, filed.position \
             FROM product first \
             JOIN product_category filed ON filed.product_id = first.id \
             JOIN product copy ON copy.slug LIKE '{slug}-%' WHERE first.slug = '{slug}'"
        ),
    ];
    for sql in sql {
        db.execute_unprepared(&sql).await.expect("copies");
    }
    // Both look at how their tables are filled now and then: PostgreSQL by itself, SQLite by a chore.
    db.execute_unprepared("ANALYZE").await.expect("statistics");
}

async fn a_page_costs_no_more_where_there_are_many(db: Db) {
    let server = Server::start(db).await;
    let brand = post(&server, "/v1/brands", json!({"name": "Enorme"})).await;
    let root = category(&server, "Raíz", None).await;
    let large = category(&server, "Grande", Some(&root)).await;
    let small = category(&server, "Chica", Some(&root)).await;
    for (title, category) in [("poco", &small), ("mucho", &large)] {
        let body = json!({
            "title": title, "slug": title, "brand_id": brand["id"], "category_ids": [category["id"]],
        });
        post(&server, "/v1/products", body).await;
        copy(&server, title, if title == "poco" { 50 } else { MANY }).await;
    }
    for (path, link, filter, all) in [
        (format!("/v1/brands/{}", id(&brand)), "products", "brand_id", MANY + 52),
        (format!("/v1/categories/{}", id(&root)), "products", "category_id", MANY + 52),
        (format!("/v1/categories/{}", id(&large)), "products", "category_id", MANY + 1),
        (format!("/v1/categories/{}", id(&small)), "products", "category_id", 51),
    ] {
        let began = Instant::now();
        let (statements, whole) = counted(&server, &format!("{path}?expand={link}")).await;
        let took = began.elapsed() / 4;
        println!("{path}: {took:?} for ten of {all}");
        assert!(took < PAGE_WITHIN, "{path}: {took:?}");
        assert_eq!(statements, 2.0, "{path}: one for the object and one for its page");
        let page = &whole[link];
        assert_eq!((ids(&page["data"]).len(), &page["has_more"]), (10, &json!(true)), "{path}");

        // The rest is where it says, in the same order, and nothing comes twice.
        let next = page["next_url"].as_str().expect("a url");
        let began = Instant::now();
        let more = get(&server, next).await;
        println!("{next:.40}: {:?} for the next twenty", began.elapsed());
        assert!(began.elapsed() < PAGE_WITHIN, "{path}: {:?}", began.elapsed());
        let list = format!(
            "/v1/products?{filter}={}&limit=30&count=true",
            path.rsplit('/').next().unwrap()
        );
        let began = Instant::now();
        let listed = get(&server, &list).await;
        println!("{list:.40}: {:?} for thirty and a count", began.elapsed());
        let both = [ids(&page["data"]), ids(&more["data"])].concat();
        assert_eq!(both, ids(&listed["data"]), "{path}");
        assert_eq!(listed["total_count"], all, "{path}");

        // In another order, with a condition, from the end and back.
        for query in ["sort=title", "sort=-title&status=draft", "title=poco", "status=active"] {
            let began = Instant::now();
            let key = id(&whole);
            let found = get(&server, &format!("/v1/products?{filter}={key}&limit=7&{query}")).await;
            println!("{query}: {:?}", began.elapsed());
            assert!(began.elapsed() < PAGE_WITHIN, "{path}: {query}: {:?}", began.elapsed());
            let some = query != "status=active" && !(query == "title=poco" && all == MANY + 1);
            assert_eq!(ids(&found["data"]).len(), if some { 7 } else { 0 }, "{path}: {query}");
        }
    }
}

async fn pages_of_twenty_objects_cost_one_statement(db: Db) {
    let server = Server::start(db).await;
    let root = category(&server, "Raíz", None).await;
    for n in 0..19 {
        let own = category(&server, &format!("Hija {n}"), Some(&root)).await;
        let last = product(&server, &format!("Último {n}"), &[&own, &root]).await;
        assert_eq!(last["category_ids"].as_array().map(Vec::len), Some(2));
        product(&server, &format!("Nuevo {n}"), &[&own]).await;
    }
    for link in ["products", "children"] {
        let path = |limit: usize| format!("/v1/categories?limit={limit}&expand={link}");
        let (one, _) = counted(&server, &path(1)).await;
        let (twenty, page) = counted(&server, &path(20)).await;
        assert_eq!((one, twenty), (2.0, 2.0), "{link}");
        for row in page["data"].as_array().expect("rows") {
            let filter = if link == "products" { "category_id" } else { "parent_id" };
            let target = if link == "products" { "products" } else { "categories" };
            let list = format!("/v1/{target}?{filter}={}&limit=10", id(row));
            let listed = get(&server, &list).await;
            assert_eq!(row[link]["data"], listed["data"], "{list}");
            assert_eq!(row[link]["has_more"], !listed["next_cursor"].is_null(), "{list}");
            assert_eq!(row[link]["next_url"].is_null(), listed["next_cursor"].is_null());
        }
    }
    // What is in the pages is embedded for all of them at once.
    let (statements, page) =
        counted(&server, "/v1/categories?limit=20&expand=products.categories.parent").await;
    assert_eq!(statements, 4.0);
    let inner = &page["data"][0]["products"]["data"][0]["categories"][0]["parent"];
    assert_eq!(inner["name"], "Raíz");
}

async fn products_are_found_by_their_categories(db: Db) {
    let server = Server::start(db).await;
    let clothes = category(&server, "Ropa", None).await;
    let shirts = category(&server, "Camisas", Some(&clothes)).await;
    let linen = category(&server, "Lino", Some(&shirts)).await;
    let sale = category(&server, "Rebajas", None).await;
    let empty = category(&server, "Vacía", Some(&sale)).await;
    let one = product(&server, "Una", &[&linen]).await;
    let two = product(&server, "Dos", &[&shirts, &linen]).await;
    let three = product(&server, "Tres", &[&sale, &clothes]).await;
    product(&server, "Ninguna", &[]).await;
    let find = async |query: &str| {
        let page = get(&server, &format!("/v1/products?count=true&sort=created_at&{query}")).await;
        assert_eq!(page["total_count"], ids(&page["data"]).len(), "{query}");
        ids(&page["data"]).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = [id(&one), id(&two), id(&three)];
    for (category, found) in [
        (&clothes, &all[..]),
        (&shirts, &all[..2]),
        (&linen, &all[..2]),
        (&sale, &all[2..]),
        (&empty, &[]),
    ] {
        assert_eq!(find(&format!("category_id={}", id(category))).await, found, "{category}");
    }
    let several = format!("{},{}", id(&linen), id(&sale));
    assert_eq!(find(&format!("category_id[in]={several}")).await, all);
    let both = format!("category_id={}&category_id[in]={several}", id(&sale));
    assert_eq!(find(&both).await, all[2..]);
    // Page by page, forth and back.
    let path = format!("/v1/products?category_id={}&limit=2", id(&clothes));
    let first = get(&server, &path).await;
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = get(&server, &format!("{path}&cursor={cursor}")).await;
    assert_eq!(ids(&second["data"]), [id(&one)]);
    let back = second["prev_cursor"].as_str().expect("less");
    assert_eq!(get(&server, &format!("{path}&cursor={back}")).await["data"], first["data"]);
    // A cursor is of one list.
    let other = format!("/v1/products?category_id={}&limit=2&cursor={cursor}", id(&shirts));
    server.call("GET", &other).send().await.expect_problem(422, "invalid_cursor");
    for bad in ["category_id[ne]", "category_id[is_null]", "category_id[contains]"] {
        let path = format!("/v1/products?{bad}={}", id(&sale));
        let told = server.call("GET", &path).send().await.expect_problem(422, "validation_failed");
        assert_eq!(told["errors"][0]["code"], "unknown_operator", "{bad}");
    }
    let path = format!("/v1/products?category_id={}", id(&one));
    server.call("GET", &path).send().await.expect_problem(404, "wrong_id_type");
    // What moves takes along what is in it.
    let path = format!("/v1/categories/{}", id(&shirts));
    let body = json!({"parent_id": id(&empty)});
    server.call("PATCH", &path).json(&body).send().await.expect(200);
    assert_eq!(find(&format!("category_id={}", id(&clothes))).await, all[2..]);
    assert_eq!(find(&format!("category_id={}", id(&empty))).await, all[..2]);
}

async fn what_another_organization_has_is_not_found(db: Db) {
    let server = Server::start(db).await;
    let own = category(&server, "Mía", None).await;
    product(&server, "Mío", &[&own]).await;
    let stranger = server.test_key.as_str();
    for query in [format!("category_id={}", id(&own)), format!("category_id[in]={}", id(&own))] {
        let path = format!("/v1/products?count=true&{query}");
        let page = server.call_as(stranger, "GET", &path).send().await.expect(200);
        assert_eq!((&page["data"], &page["total_count"]), (&json!([]), &json!(0)), "{query}");
        assert_eq!(ids(&get(&server, &path).await["data"]).len(), 1);
    }
}
