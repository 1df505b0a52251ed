//! The contract: what is committed is what the program makes, and breaks nobody who relies on what
//! was released.
//!
//! `BODEGA_BLESS=1` writes the artifacts anew. Nothing writes the blessed copy by itself: a release
//! copies `openapi/openapi.json` and `openapi/schema.graphql` over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bodega_docs::breaking_changes;
use bodega_tests::{Db, Server, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn what_is_committed_is_what_the_program_makes() {
    let made = made();
    for file in files(made.path()) {
        let name = file.file_name().expect("a name");
        let (made, committed) = (read(&file), openapi().join(name));
        if std::env::var_os("BODEGA_BLESS").is_some() {
            fs::write(&committed, &made).expect("the artifact is written");
        }
        let same = fs::read_to_string(&committed).is_ok_and(|committed| committed == made);
        assert!(
            same,
            "{} is not what the program makes: `bodega contract --write openapi`, or this test with \
             BODEGA_BLESS=1, renews it",
            committed.display()
        );
    }
    // And nothing is committed that the program no longer makes.
    for file in files(&openapi()).iter().filter(|file| file.extension().is_some_and(|e| e != "md"))
    {
        let made = made.path().join(file.file_name().expect("a name"));
        assert!(made.exists(), "{} is made by nothing", file.display());
    }
}

#[tokio::test]
async fn what_is_served_is_what_is_written() {
    let made = made();
    let server = Server::start(Db::Sqlite).await;
    let served = server.openapi().await;
    assert_eq!(served, document(&made.path().join("openapi.json")), "/openapi.json");
    let problems = document(&made.path().join("problems.json"));
    for problem in problems.as_array().expect("problems") {
        let path = format!("/problems/{}", problem["code"].as_str().expect("a code"));
        for language in ["en", "es"] {
            let call = server.call_without_key("GET", &path).header("Accept", "application/json");
            let page = call.header("Accept-Language", language).send().await.expect(200);
            assert_eq!(page["title"], problem["title"][language], "{path} in {language}");
            assert_eq!(page["status"], problem["status"], "{path}");
        }
    }
}

/// What `trigger` and the test of an endpoint send is an event as its schema says, and tells of a change
/// what was there before.
#[tokio::test]
async fn the_samples_of_events_are_believable() {
    let server = Server::start(Db::Sqlite).await;
    let types = server.call("GET", "/v1/event_types").send().await.expect(200);
    for kind in types["data"].as_array().expect("types") {
        let name = kind["type"].as_str().expect("a name");
        let path = format!("/v1/event_types/{name}");
        let schema = server.call("GET", &path).send().await.expect(200)["schema"].take();
        let samples = server.call("GET", &format!("{path}/samples")).send().await.expect(200);
        let sample = samples["data"].as_array().and_then(|all| all.last()).expect("a sample");
        let valid = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<_> = valid.iter_errors(sample).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?} in {sample}");
        if name.ends_with(".created") || name.ends_with(".deleted") {
            assert_eq!(sample["previous"], Value::Null, "{name}");
        }
        for (member, before) in sample["previous"].as_object().into_iter().flatten() {
            assert_ne!(&sample["data"][member], before, "{name}: {member} has not changed");
        }
    }
    let sample = async |name: &str| {
        let path = format!("/v1/event_types/{name}/samples");
        server.call("GET", &path).send().await.expect(200)["data"][0].take()
    };
    let updated = sample("product.updated").await;
    assert_eq!(updated["previous"]["title"], "Work shirt");
    assert_eq!(updated["data"]["title"], "Work shirt, long sleeves");
    let archived = sample("product.archived").await;
    assert_eq!(archived["previous"]["status"], "draft");
    assert_eq!(archived["data"]["status"], "archived");
}

#[test]
fn nothing_breaks_what_was_released() {
    let made = made();
    let now = document(&made.path().join("openapi.json"));
    let broken = breaking_changes(&blessed(), &now);
    assert!(
        broken.is_empty(),
        "changes that break a caller of the released contract; make them a `VersionChange` \
         instead: {broken:#?}"
    );
}

#[test]
fn nothing_breaks_the_graphql_schema_that_was_released() {
    let now = read(&made().path().join("schema.graphql"));
    let released = read(&openapi().join("blessed/schema.graphql"));
    let broken = bodega_graphql::breaking_changes(&released, &now).expect("two schemas");
    assert!(
        broken.is_empty(),
        "changes that break a document written for the released schema; add beside what is there, \
         and deprecate it: {broken:#?}"
    );
    // And it is told where the schemas that there are differ so.
    let field = "  title: String!\n";
    assert!(now.contains(field));
    let broken = bodega_graphql::breaking_changes(&now, &now.replace(field, "  title: String\n"));
    assert!(!broken.expect("two schemas").is_empty());
}

/// The check itself: each of these would break somebody, and is told.
#[test]
fn what_would_break_somebody_is_told() {
    let now = blessed();
    assert_eq!(breaking_changes(&now, &now), Vec::<String>::new());
    let products = "/paths/~1v1~1products";
    let create = "/components/schemas/ProductCreate";
    for (what, change) in [
        ("an operation that is gone", remove(&format!("{products}/post"))),
        (
            "an operation of another name",
            set(&format!("{products}/post/operationId"), "product.make"),
        ),
        ("another scope", set(&format!("{products}/get/x-scopes"), json!(["catalog:write"]))),
        ("an event that no longer comes", set(&format!("{products}/post/x-events"), json!([]))),
        ("a success that is gone", remove(&format!("{products}/post/responses/201"))),
        ("a parameter that is gone", remove(&format!("{products}/get/parameters/0"))),
        (
            "a field that must be given",
            set(&format!("{create}/required"), json!(["title", "slug"])),
        ),
        ("a field that is no longer taken", remove(&format!("{create}/properties/slug"))),
        ("a shorter text", set(&format!("{create}/properties/title/maxLength"), 10)),
        ("a narrower pattern", set(&format!("{create}/properties/slug/pattern"), "^x$")),
        ("a value that is no longer taken", remove("/components/schemas/ProductKind/enum/0")),
        (
            "a member of the answer that is gone",
            remove("/components/schemas/Product/properties/slug"),
        ),
        (
            "a member of another type",
            set("/components/schemas/Product/properties/title/type", "integer"),
        ),
        ("a webhook that is gone", remove("/webhooks/product.created")),
    ] {
        let mut changed = now.clone();
        change(&mut changed);
        assert_ne!(changed, now, "{what}: the change did not change anything");
        assert!(!breaking_changes(&now, &changed).is_empty(), "{what} is not told");
    }
    // What may come at any time is let pass.
    let mut more = now.clone();
    more["paths"]["/v1/new"] = now["paths"]["/v1/brands"].clone();
    more["components"]["schemas"]["Product"]["properties"]["new"] = json!({"type": "string"});
    more["components"]["schemas"]["ProductCreate"]["properties"]["new"] = json!({"type": "string"});
    assert_eq!(breaking_changes(&now, &more), Vec::<String>::new());
}

#[test]
fn the_declarations_have_no_fault() {
    let listed = bodega(&["contract"]);
    let (out, err) = (text(&listed.stdout), text(&listed.stderr));
    assert!(listed.status.success(), "`bodega contract` finds faults: {err}");
    assert_eq!(err, "", "`bodega contract` complains");
    let made = made();
    let paths = document(&made.path().join("openapi.json"))["paths"].clone();
    let items = paths.as_object().expect("paths").values().filter_map(Value::as_object);
    let documented =
        items.flat_map(|item| item.values()).filter_map(|one| one["operationId"].as_str());
    let mut documented: Vec<_> = documented.collect();
    let mut shown: Vec<_> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    documented.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, documented, "what `bodega contract` lists, and what is documented");
}

/// The artifacts as the program makes them now.
fn made() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("a path");
    let written = bodega(&["contract", "--write", path]);
    assert!(written.status.success(), "`bodega contract --write`: {}", text(&written.stderr));
    assert!(!files(folder.path()).is_empty(), "`bodega contract --write` writes nothing");
    folder
}

/// Runs the program with no settings but its own.
fn bodega(words: &[&str]) -> Output {
    let mut program = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BODEGA_") {
            program.env_remove(name);
        }
    }
    program.args(words).output().expect("the bodega program runs")
}

fn blessed() -> Value {
    document(&openapi().join("blessed/openapi.json"))
}

fn openapi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi")
}

/// The files of a folder, but not of those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.is_file()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

type Change = Box<dyn Fn(&mut Value)>;

/// Takes away what a pointer points at.
fn remove(pointer: &str) -> Change {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    let (parent, last) = (parent.to_owned(), last.replace("~1", "/"));
    Box::new(move |document| match document.pointer_mut(&parent) {
        Some(Value::Object(members)) => {
            members.shift_remove(&last).unwrap_or_else(|| panic!("no {last} in {parent}"));
        }
        Some(Value::Array(items)) => {
            items.remove(last.parse().expect("an index"));
        }
        other => panic!("{parent}: {other:?}"),
    })
}

/// Puts another value where a pointer points.
fn set(pointer: &str, value: impl Into<Value>) -> Change {
    let (pointer, value) = (pointer.to_owned(), value.into());
    Box::new(move |document| {
        *document.pointer_mut(&pointer).unwrap_or_else(|| panic!("no {pointer}")) = value.clone();
    })
}
