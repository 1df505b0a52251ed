//! Receivers of each language, built on a public library of Standard Webhooks, verify what a
//! started server really sends them: both kinds of signature, before, during and after a rotation;
//! and they refuse what was tampered with.
//!
//! They need what only `tests/run` installs, so they are ignored where all tests are run.

mod receiver;
mod relay;
mod stage;

use receiver::Language;
use stage::Stage;

/// Each way that a secret can be rotated.
const ROTATIONS: [(&str, &str); 4] =
    [("hmac", "hmac"), ("hmac", "ed25519"), ("ed25519", "hmac"), ("ed25519", "ed25519")];

async fn deliveries_are_verified(language: Language) {
    let mut stage = Stage::set(language).await;
    for (first, then) in ROTATIONS {
        let case = format!("{language:?}, {first} to {then}");
        let (endpoint, secret) = stage.endpoint(first).await;
        let mut old = stage.receiver(&secret).await;
        stage.point(&endpoint, &old.url).await;
        let events = stage.change().await;
        stage.answered(&endpoint, &events, 204).await;
        old.verified(&events).await;

        // While both sign, each side may change over when it likes.
        let secret = stage.rotate(&endpoint, then, 3_600).await;
        let mut new = stage.receiver(&secret).await;
        let events = stage.change().await;
        stage.answered(&endpoint, &events, 204).await;
        old.verified(&events).await;
        stage.point(&endpoint, &new.url).await;
        let events = stage.change().await;
        stage.answered(&endpoint, &events, 204).await;
        new.verified(&events).await;
        stage.holds(&endpoint, &[&old, &new], &case).await;

        // With no overlap, those before sign no more.
        stage.point(&endpoint, &new.url).await;
        let secret = stage.rotate(&endpoint, first, 0).await;
        let mut last = stage.receiver(&secret).await;
        let events = stage.change().await;
        stage.answered(&endpoint, &events, 400).await;
        new.refused().await;
        stage.point(&endpoint, &old.url).await;
        let events = stage.change().await;
        stage.answered(&endpoint, &events, 400).await;
        old.refused().await;
        stage.point(&endpoint, &last.url).await;
        let events = stage.change().await;
        stage.answered(&endpoint, &events, 204).await;
        last.verified(&events).await;
        stage.holds(&endpoint, &[&last], &case).await;
        stage.remove(&endpoint).await;
    }
}

macro_rules! languages {
    ($($name:ident: $language:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs what tests/run installs"]
        async fn $name() {
            deliveries_are_verified(Language::$language).await;
        })*
    };
}

languages!(javascript: JavaScript, python: Python, rust: Rust);
