//! A request runs no more statements than its selection has links and lists, however many rows.

use bodega_tests::{Db, both};
use serde_json::json;

use super::graph::{self, Graph};
use crate::walk::walker::Walk;

both!(a_link_costs_one_statement, rows_cost_no_statements_of_their_own);

/// Links whose ids are kept in a list on the object, which is read first. This may only shrink.
const TWO: &[(&str, &str)] = &[("collection", "products")];

/// How many statements a document costs that was asked before: the fewest of three, because the
/// program runs some of its own now and then.
pub async fn statements(walk: &Walk, document: &str) -> f64 {
    let send = async || {
        let told = graph::send(&walk.server, &walk.server.live_key, document, &json!({})).await;
        let told = told.expect(200);
        assert!(told.get("errors").is_none(), "{document}: {told}");
    };
    send().await;
    let mut fewest = f64::MAX;
    for _ in 0..3 {
        let before = walk.server.metric("bodega_sql_statements_total").await;
        send().await;
        let after = walk.server.metric("bodega_sql_statements_total").await;
        fewest = fewest.min(after - before);
    }
    fewest
}

async fn a_link_costs_one_statement(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let graph = Graph::of(&walk.server).await;
    for list in walk.lists() {
        let name = graph.root(list).name;
        let bare = statements(&walk, &format!("{{ {name}(first: 3) {{ nodes {{ id }} }} }}")).await;
        assert_eq!(bare, 1.0, "{}", list.id);
        for path in list.choices("expand") {
            let links: Vec<&str> = path.split('.').collect();
            // Named twice, by other names and in a fragment, a link is still one.
            let kind = graph.node(list);
            let inner = graph.along(kind, &links, 3);
            let again = match graph.link(kind, links[0]).1 {
                true => "(first: 3) { nodes { __typename id } edges { cursor node { id } } }",
                false => "{ __typename id }",
            };
            let document = format!(
                "{{ {name}(first: 3) {{ nodes {{ ...all }} edges {{ node {{ ...all }} }} }} }} \
                 fragment all on {kind} {{ {inner} again: {first} {again} }}",
                first = links[0],
            );
            let found = statements(&walk, &document).await;
            let two = TWO.contains(&(list.resource.as_str(), links[0]));
            let most = 1.0 + links.len() as f64 + f64::from(u8::from(two));
            assert!(found <= most, "{}: {path}: {found}", list.id);
        }
        let document = format!("{{ {name}(first: 3) {{ totalCount nodes {{ id }} }} }}");
        assert_eq!(statements(&walk, &document).await, 2.0, "{}: a count is one more", list.id);
    }
}

async fn rows_cost_no_statements_of_their_own(db: Db) {
    let walk = Walk::start(db).await;
    let document = |first: usize| {
        format!(
            "{{ products(first: {first}, sort: CREATED_AT_ASC) {{ nodes {{ id title brand {{ name }} \
             categories {{ name parent {{ name }} }} \
             variants {{ sku prices {{ unitPrice {{ amount }} }} product {{ title }} }} }} }} }}"
        )
    };
    let (few, many) =
        (statements(&walk, &document(2)).await, statements(&walk, &document(8)).await);
    assert_eq!(few, many, "statements for 2 and for 8 products");
    assert!(many <= 7.0, "{many} statements for six links");
}
