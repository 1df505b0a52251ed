//! Whoever may make webhook endpoints cannot make the server reach what is private, however the
//! address is written: told through the public API alone.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bodega_tests::{Db, Server, Setup, both};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

both!(no_form_of_a_private_address_is_taken, what_a_name_leads_to_is_judged_when_it_is_sent);

/// Refusing is a matter of looking at the text: nothing is resolved, nothing is waited for.
const QUICK: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// Hosts of this machine and of private networks, with the code that each is refused with.
const HOSTS: [(&str, &[&str]); 2] = [
    (
        "private_address",
        &[
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.255.255.254",
            "2130706433",
            "0x7f000001",
            "0x7F.0.0.1",
            "0x7f.1",
            "017700000001",
            "0177.0.0.01",
            "00000177.0x0.0.1",
            "%31%32%37.0.0.1",
            "0",
            "0.0.0.0",
            "0x0",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::7f00:1]",
            "[2002:7f00:1::1]",
            "[2001:0:7f00:1::80ff:fffe]",
            "10.0.0.1",
            "0xa.1",
            "100.64.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[2001:db8::1]",
        ],
    ),
    (
        "private_name",
        &[
            "localhost",
            "LOCALHOST",
            "localhost.",
            "hook.localhost",
            "a.b.localhost.",
            "lo%63alhost",
            "localhost.localdomain",
            "printer.local",
            "metadata.google.internal",
            "router.lan",
            "nas.home.arpa",
            "intranet",
            "db",
        ],
    ),
];

/// Whole URLs that the document allows and the rules do not. `PORT` is the listener's.
const URLS: [(&str, &str); 13] = [
    ("http://user@example.com:PORT/", "url_user_info"),
    ("http://user:secret@example.com:PORT/", "url_user_info"),
    ("http://:secret@example.com:PORT/", "url_user_info"),
    ("http://example.com@127.0.0.1:PORT/", "url_user_info"),
    ("http://127.0.0.1:PORT/#@example.com/", "url_fragment"),
    ("http://example.com/hook#part", "url_fragment"),
    ("http://example.com:0/", "url_port"),
    ("http://example.com:99999/", "url_invalid"),
    ("http://[fe80::1%25eth0]:PORT/", "url_invalid"),
    ("http://[127.0.0.1]:PORT/", "url_invalid"),
    ("http://[::1:PORT/", "url_invalid"),
    ("http://256.256.256.256/", "url_invalid"),
    ("http://?", "url_no_host"),
];

/// What the document itself does not allow.
const NOT_URLS: [&str; 9] = [
    "ftp://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_GET",
    "javascript:alert(1)",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "http://127.0.0.1:PORT/ x",
    "http://１２７.０.０.１:PORT/",
    "",
];

/// A listener on loopback that counts who connects.
struct Bait {
    port: u16,
    caught: Arc<AtomicUsize>,
}

impl Bait {
    async fn set() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let caught = Arc::new(AtomicUsize::new(0));
        let counting = caught.clone();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counting.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, caught }
    }

    fn url(&self, url: &str) -> String {
        url.replace("PORT", &self.port.to_string())
    }

    fn caught(&self) -> usize {
        self.caught.load(Ordering::SeqCst)
    }
}

async fn no_form_of_a_private_address_is_taken(db: Db) {
    let (server, bait) = (Server::start(db).await, Bait::set().await);
    let fine = json!({"url": "https://hooks.example.com/bodega", "event_types": ["brand.*"]});
    let made = server.call("POST", "/v1/webhook_endpoints").json(&fine).send().await.expect(201);
    let patched = format!("/v1/webhook_endpoints/{}", made["id"].as_str().expect("an id"));

    let hosts = HOSTS.iter().flat_map(|(code, hosts)| hosts.iter().map(move |host| (*host, *code)));
    let hosts = hosts.flat_map(|(host, code)| {
        [(format!("http://{host}:PORT/hook"), code), (format!("https://{host}/"), code)]
    });
    let urls = URLS.iter().map(|(url, code)| ((*url).to_owned(), *code));
    for (url, code) in hosts.chain(urls) {
        let url = bait.url(&url);
        for (method, path) in [("POST", "/v1/webhook_endpoints"), ("PATCH", patched.as_str())] {
            let problem = refused(&server, method, path, &url).await;
            assert_eq!(problem["status"], 403, "{url}: {problem}");
            assert_eq!(problem["code"], "destination_not_allowed", "{url}: {problem}");
            assert_eq!(problem["errors"][0]["code"], code, "{url}: {problem}");
        }
    }
    let long = format!("https://example.com/{}", "x".repeat(2_048));
    for url in NOT_URLS.into_iter().chain([long.as_str()]) {
        let url = bait.url(url);
        let problem = refused(&server, "POST", "/v1/webhook_endpoints", &url).await;
        assert_eq!(problem["status"], 422, "{url}: {problem}");
    }

    let kept = server.call("GET", "/v1/webhook_endpoints?count=true").send().await.expect(200);
    assert_eq!(kept["total_count"], 1, "{kept}");
    assert_eq!(kept["data"][0]["url"], fine["url"], "{kept}");
    assert_eq!(bait.caught(), 0);
}

/// The problem that the URL is refused with.
async fn refused(server: &Server, method: &str, path: &str, url: &str) -> Value {
    let mut body = json!({ "url": url });
    if method == "POST" {
        body["event_types"] = json!(["brand.*"]);
    }
    let began = Instant::now();
    let answer = server.call(method, path).json(&body).send().await;
    assert!(began.elapsed() < QUICK, "{url} took {:?}", began.elapsed());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{url}: {}", answer.body);
    assert_eq!(answer.body["errors"][0]["pointer"], "/url", "{url}: {}", answer.body);
    answer.body
}

/// Where the operator allows a range, names are taken on trust, and so may be what was saved under
/// other rules: so it is what is connected to that counts.
async fn what_a_name_leads_to_is_judged_when_it_is_sent(db: Db) {
    let bait = Bait::set().await;
    let loopback = Setup::of(db, &[("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8"]"#)]).await;
    let mut server = loopback.start().await;
    let key = server.live_key.clone();
    let mut endpoints = Vec::new();
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "2130706433"] {
        let url = bait.url(&format!("http://{host}:PORT/hook"));
        let body = json!({"url": url, "event_types": ["brand.*"]});
        let made =
            server.call("POST", "/v1/webhook_endpoints").json(&body).send().await.expect(201);
        endpoints.push((host, made["id"].as_str().expect("an id").to_owned()));
    }
    assert!(server.stop().await.success());

    // Another range now, so that names still pass without a look at what they resolve to.
    let elsewhere = loopback.with("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["192.0.2.0/24"]"#);
    let server = elsewhere.start().await;
    let brand = json!({"name": "Casa Norte"});
    server.call_as(&key, "POST", "/v1/brands").json(&brand).send().await.expect(201);
    for (host, endpoint) in endpoints {
        let attempt = attempt(&server, &key, &endpoint).await;
        // What the URL says itself is told; what a name leads to is not.
        let named = host.eq_ignore_ascii_case("localhost");
        let outcome = if named { "dns_failure" } else { "private_address" };
        assert_eq!(attempt["outcome"], outcome, "{host}: {attempt}");
        assert_eq!(attempt["status"], Value::Null, "{host}: {attempt}");
        // Nobody is told what a private name server knows.
        assert_eq!(attempt["address"], Value::Null, "{host}: {attempt}");
        assert!(!attempt["reason"].to_string().contains("127"), "{host}: {attempt}");
    }
    assert_eq!(bait.caught(), 0);
}

/// The first attempt to send something to an endpoint.
async fn attempt(server: &Server, key: &str, endpoint: &str) -> Value {
    let path = format!("/v1/webhook_attempts?endpoint_id={endpoint}&sort=created_at");
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let page = server.call_as(key, "GET", &path).send().await.expect(200);
        if let Some(attempt) = page["data"].get(0) {
            return attempt.clone();
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing was tried for {endpoint}");
}
