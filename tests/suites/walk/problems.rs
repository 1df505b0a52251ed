//! Each problem that an operation says it can have has a page, in both languages.

use std::collections::BTreeSet;

use bodega_tests::{Db, both};

use super::walker::Walk;

both!(every_problem_has_its_page);

async fn every_problem_has_its_page(db: Db) {
    let walk = Walk::start(db).await;
    let codes: BTreeSet<_> = walk.operations.iter().flat_map(|one| one.problems.clone()).collect();
    assert!(codes.len() > 20, "{codes:?}");
    let read = async |path: &str, accept: &str, language: &str| {
        let call = walk.server.call_without_key("GET", path).header("Accept", accept);
        call.header("Accept-Language", language).send().await
    };
    for code in &codes {
        let path = format!("/problems/{code}");
        let english = read(&path, "application/json", "en").await.expect(200);
        let spanish = read(&path, "application/json", "es").await.expect(200);
        assert_eq!(english["code"], **code, "{english}");
        assert_eq!(english["status"], spanish["status"], "{code}");
        assert_ne!(english["title"], spanish["title"], "{code}");
        // Only statuses under which the operations document it.
        let status =
            u16::try_from(english["status"].as_u64().expect("a status")).expect("a status");
        for operation in walk.operations.iter().filter(|one| one.problems.contains(code)) {
            assert!(operation.statuses.contains(&status), "{}: {code} is a {status}", operation.id);
        }
        for (language, told) in [("en", &english), ("es", &spanish)] {
            let page = read(&path, "text/html", language).await;
            let html = String::from_utf8_lossy(&page.bytes).into_owned();
            assert_eq!(page.status, 200, "{path} in {language}");
            assert!(page.header("content-type").starts_with("text/html"), "{path}");
            assert!(html.contains(&format!("lang=\"{language}\"")), "{path} in {language}: {html}");
            for said in [code.as_str(), told["title"].as_str().expect("a title")] {
                assert!(html.contains(said), "{path} in {language} does not say {said}");
            }
        }
    }
    read("/problems/nope", "application/json", "en").await.expect(404);
    // The index has them all.
    let index = read("/problems", "text/html", "en").await;
    let html = String::from_utf8_lossy(&index.bytes).into_owned();
    let missing: Vec<_> = codes.iter().filter(|code| !html.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "not in /problems: {missing:?}");
}
