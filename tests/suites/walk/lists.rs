//! Lists: every row once, forth and back, in the order asked for; cursors good for their list only.

use bodega_tests::{Db, both};
use serde_json::Value;

use super::operations::Operation;
use super::walker::{Walk, encode, id_of, instant};

both!(
    pages_show_every_row_once,
    each_sort_orders_its_list,
    a_cursor_is_good_for_its_list_only,
    fields_pick_members,
    what_a_list_does_not_take_is_refused,
);

async fn pages_show_every_row_once(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    for list in walk.lists() {
        let id = &list.id;
        let live = walk.server.live_key.as_str();
        let still = still(&walk, list).await;
        let whole: Vec<_> = walk.all(live, list, &still).await.iter().map(id_of).collect();
        assert!(!whole.is_empty(), "{id}: nothing to page through");
        for limit in [1, 7] {
            let (forth, pages) = forth(&walk, list, &format!("limit={limit}{still}")).await;
            assert_eq!(forth, whole, "{id}: {limit} a page, forth");
            assert_eq!(pages.len(), whole.len().div_ceil(limit), "{id}: {limit} a page");
            let last = pages.last().expect("a page");
            let back = back(&walk, list, &format!("limit={limit}{still}"), last).await;
            assert_eq!(back, whole, "{id}: {limit} a page, back");
        }
        let counted = format!("limit=1&count=true{still}");
        let page = get(&walk, list, &counted).await;
        assert_eq!(page["total_count"], whole.len(), "{id}");
        let page = get(&walk, list, &format!("limit=1&count=false{still}")).await;
        assert!(page.get("total_count").is_none(), "{id}: counts unasked");
        // A cursor goes on with another page size, and with a count.
        if let Some(next) = page["next_cursor"].as_str() {
            let more = get(&walk, list, &format!("limit=2&count=true&cursor={next}{still}")).await;
            assert_eq!(id_of(&more["data"][0]), whole[1], "{id}: another page size");
            assert_eq!(more["total_count"], whole.len(), "{id}: the count is of all pages");
        }
        links(&walk, list, &still).await;
    }
}

async fn each_sort_orders_its_list(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    for list in walk.lists() {
        let id = &list.id;
        let sort = list.parameter("sort").unwrap_or_else(|| panic!("{id}: no sort"));
        let sorts = sort.schema["enum"].as_array().expect("sorts");
        let still = still(&walk, list).await;
        let plain = walk.all(&walk.server.live_key, list, &still).await;
        for sort in sorts.iter().map(|sort| sort.as_str().expect("a sort")) {
            let field = sort.trim_start_matches('-');
            let query = format!("{still}&sort={sort}");
            let rows = walk.all(&walk.server.live_key, list, &query).await;
            assert_eq!(rows.len(), plain.len(), "{id}: {sort}");
            let key = |row: &Value| (instant(&row[field]), id_of(row));
            let ordered = rows.windows(2).all(|two| match sort.starts_with('-') {
                true => key(&two[0]) > key(&two[1]),
                false => key(&two[0]) < key(&two[1]),
            });
            let keys: Vec<_> = rows.iter().map(key).collect();
            assert!(ordered, "{id}: {sort} does not order: {keys:#?}");
            // Pages in this order meet no row twice and miss none.
            let whole: Vec<_> = rows.iter().map(id_of).collect();
            let (forth, _) = forth(&walk, list, &format!("limit=3{query}")).await;
            assert_eq!(forth, whole, "{id}: {sort}, page by page");
            if sort == sort_default(list) {
                let plain: Vec<_> = plain.iter().map(id_of).collect();
                assert_eq!(plain, whole, "{id}: the order without a sort");
            }
        }
        for bad in ["nope", "", "-", "--created_at", "created_at,id", "metadata", "CREATED_AT"] {
            let path = format!("{}?sort={bad}", list.path);
            let seen = walk.send(list, walk.server.call("GET", &path)).await;
            seen.invalid("query", "/sort", "enum");
        }
    }
}

async fn a_cursor_is_good_for_its_list_only(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let stranger = walk.stranger().await;
    let mut other = None;
    for list in walk.lists() {
        let id = &list.id;
        let Some(cursor) =
            get(&walk, list, "limit=1").await["next_cursor"].as_str().map(str::to_owned)
        else {
            // A key sees its own organization and no other.
            assert_eq!(id, "organization.list", "a list with a single row");
            continue;
        };
        let refused = async |key: &str, query: String| {
            let path = format!("{}?{query}", list.path);
            let seen = walk.send(list, walk.server.call_as(key, "GET", &path)).await;
            let problem = seen.refused(422, "invalid_cursor");
            assert_eq!(problem["errors"][0]["pointer"], "/cursor", "{id}: {query}: {problem}");
        };
        let live = walk.server.live_key.as_str();
        for at in (0..cursor.len()).step_by(7).chain([cursor.len() - 1]) {
            let mut bytes = cursor.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'Q' } else { b'A' };
            let tampered = String::from_utf8(bytes).expect("text");
            refused(live, format!("cursor={tampered}")).await;
        }
        let half = &cursor[..cursor.len() / 2];
        for bad in
            ["", "x", "null", half, &format!("{cursor}A"), &"A".repeat(5_000), "%F0%9F%92%A5"]
        {
            refused(live, format!("cursor={bad}")).await;
        }
        refused(live, format!("cursor={cursor}&sort=created_at")).await;
        if list.parameter("created_at[gte]").is_some() {
            refused(live, format!("cursor={cursor}&created_at[gte]=2020-01-01T00:00:00Z")).await;
        }
        refused(&stranger, format!("cursor={cursor}")).await;
        refused(&walk.server.test_key, format!("cursor={cursor}")).await;
        if let Some(other) = other.replace(cursor) {
            refused(live, format!("cursor={other}")).await;
        }
    }
}

async fn fields_pick_members(db: Db) {
    let walk = Walk::stocked(db, 1).await;
    let reads = walk.operations.iter().filter(|one| one.parameter("fields").is_some());
    let shaped: Vec<_> = reads.collect();
    // Questions have answers rather than objects, and types of events are no objects either.
    let of_objects = |one: &&Operation| one.method == "GET" && one.resource != "event_type";
    let queries = walk.operations.iter().filter(of_objects).count();
    assert_eq!(shaped.len(), queries, "every query takes fields");
    for operation in shaped {
        let id = &operation.id;
        let fields = operation.choices("fields");
        let path = walk.ready(operation).await.path;
        let read = async |query: &str| {
            let call = walk.server.call("GET", &format!("{path}?{query}"));
            let body = walk.send(operation, call).await.done();
            if operation.is_list() { body["data"][0].clone() } else { body }
        };
        let names = |object: &Value| {
            object.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
        };
        let whole = read("").await;
        assert_eq!(names(&whole), fields, "{id}: what there is, and what can be picked");
        for field in &fields {
            let picked = read(&format!("fields={field}")).await;
            assert_eq!(names(&picked), [field.as_str()], "{id}");
        }
        let two = read(&format!("fields={},{}", fields[1], fields[0])).await;
        assert_eq!(names(&two), fields[..2], "{id}");
        assert_eq!(names(&read(&format!("fields={}", fields.join(","))).await), fields, "{id}");
        for link in operation.choices("expand").iter().filter(|path| !path.contains('.')) {
            let both = read(&format!("fields=id&expand={link}")).await;
            assert_eq!(names(&both), ["id", link.as_str()], "{id}: picked and embedded");
        }
        for bad in ["nope", "", "id,,id", "id, name", "organization_id", "hash", "ID"] {
            let path = format!("{path}?fields={}", encode(bad));
            let seen = walk.send(operation, walk.server.call("GET", &path)).await;
            seen.invalid("query", "/fields", "unknown_field");
        }
    }
}

async fn what_a_list_does_not_take_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    for list in walk.lists() {
        for (name, code, bad) in [
            (
                "limit",
                "out_of_range",
                vec!["0", "101", "-1", "x", "1.5", "", "99999999999999999999"],
            ),
            ("count", "enum", vec!["yes", "1", "", "TRUE"]),
        ] {
            for bad in bad {
                let path = format!("{}?{name}={bad}", list.path);
                let seen = walk.send(list, walk.server.call("GET", &path)).await;
                seen.invalid("query", &format!("/{name}"), code);
            }
        }
    }
}

/// What keeps a list as it is while more is noted at its head.
async fn still(walk: &Walk, list: &Operation) -> String {
    if list.parameter("created_at[lte]").is_none() {
        return String::new();
    }
    walk.newest(&walk.server.live_key, &list.resource).await;
    let newest = get(walk, list, "limit=1").await["data"][0]["created_at"].clone();
    let newest = encode(newest.as_str().expect("a time"));
    format!("&created_at[lte]={newest}")
}

async fn get(walk: &Walk, list: &Operation, query: &str) -> Value {
    let path = format!("{}?{query}", list.path);
    walk.send(list, walk.server.call("GET", &path)).await.done()
}

/// The ids on all pages from the first to the last, and the pages.
async fn forth(walk: &Walk, list: &Operation, query: &str) -> (Vec<String>, Vec<Value>) {
    let (mut ids, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = get(walk, list, &format!("{query}{cursor}")).await;
        ids.extend(page["data"].as_array().expect("rows").iter().map(id_of));
        assert_eq!(page["prev_cursor"].is_null(), pages.is_empty(), "{}: prev_cursor", list.id);
        let next = page["next_cursor"].as_str().map(|next| format!("&cursor={next}"));
        pages.push(page);
        assert!(pages.len() < 2_000, "{}: pages without end", list.id);
        match next {
            Some(next) => cursor = next,
            None => return (ids, pages),
        }
    }
}

/// The ids on all pages from the last back to the first, in the order of the list.
async fn back(walk: &Walk, list: &Operation, query: &str, last: &Value) -> Vec<String> {
    let mut ids: Vec<String> = last["data"].as_array().expect("rows").iter().map(id_of).collect();
    let mut cursor = last["prev_cursor"].clone();
    while let Some(prev) = cursor.as_str() {
        let page = get(walk, list, &format!("{query}&cursor={prev}")).await;
        let rows = page["data"].as_array().expect("rows").iter().map(id_of);
        ids.splice(0..0, rows);
        assert!(!page["next_cursor"].is_null(), "{}: there is more after this page", list.id);
        cursor = page["prev_cursor"].clone();
    }
    ids
}

/// The `Link` header leads where the cursors do.
async fn links(walk: &Walk, list: &Operation, still: &str) {
    let path = format!("{}?limit=1{still}", list.path);
    let seen = walk.send(list, walk.server.call("GET", &path)).await;
    let Some(next) = seen.body["next_cursor"].as_str() else {
        assert_eq!(seen.header("link"), "", "{}: a link from the only page", list.id);
        return;
    };
    let link = seen.header("link");
    assert!(link.contains(next) && link.ends_with("; rel=\"next\""), "{}: {link}", list.id);
    let target = link.trim_start_matches('<').split('>').next().unwrap_or_default();
    let followed = walk.send(list, walk.server.call("GET", target)).await;
    let second = get(walk, list, &format!("limit=1&cursor={next}{still}")).await;
    assert_eq!(followed.done()["data"], second["data"], "{}: {link}", list.id);
    assert!(followed.header("link").contains("rel=\"prev\"") || second["next_cursor"].is_string());
}

fn sort_default(list: &Operation) -> &str {
    let sort = list.parameter("sort").expect("a sort");
    sort.schema["default"].as_str().expect("the order where none is asked for")
}
