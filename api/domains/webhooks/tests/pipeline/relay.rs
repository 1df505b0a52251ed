//! Events are numbered without gaps, and each is fanned out exactly once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bodega_kernel::Problem;
use bodega_tests::{Db, both};
use bodega_webhooks::FanOut;
use bodega_worker::{Ahead, Batch, Consumed, Consumer};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DbBackend;
use serde_json::json;
use uuid::Uuid;

use crate::carrier::Sent;
use crate::shop::Shop;

both!(
    a_relay_that_dies_between_leaves_nothing,
    racing_relays_leave_no_gap_and_no_double,
    one_that_cannot_be_numbered_holds_up_nobody,
    a_hundred_others_hold_up_nobody,
    many_of_everything_at_once,
);

/// Fans out, and then dies: in every third batch, or in those of one organization.
struct Dying {
    fan_out: FanOut,
    batches: AtomicUsize,
    of: Option<Uuid>,
}

impl Dying {
    fn new(of: Option<Uuid>) -> Arc<Self> {
        Arc::new(Self { fan_out: FanOut::default(), batches: AtomicUsize::new(1), of })
    }
}

impl Consumer for Dying {
    fn looks_ahead(&self, organization: Uuid) -> bool {
        self.fan_out.looks_ahead(organization)
    }

    fn prepare<'a>(&'a self, ahead: Ahead<'a>) -> BoxFuture<'a, Result<usize, Problem>> {
        self.fan_out.prepare(ahead)
    }

    fn consume<'a>(&'a self, batch: Batch<'a>) -> BoxFuture<'a, Result<Consumed, Problem>> {
        let dies = match self.of {
            Some(organization) => organization == batch.organization,
            None => !self.batches.fetch_add(1, Ordering::SeqCst).is_multiple_of(3),
        };
        async move {
            let consumed = self.fan_out.consume(batch).await?;
            if dies { Err(Problem::internal("on purpose")) } else { Ok(consumed) }
        }
        .boxed()
    }
}

/// The numbers given so far, of the only organization.
async fn last_number(shop: &Shop) -> i64 {
    let events = shop.number("SELECT count(*) FROM event WHERE sequence IS NOT NULL", vec![]).await;
    let different = shop.number("SELECT count(DISTINCT sequence) FROM event", vec![]).await;
    let last = shop.number("SELECT coalesce(max(sequence), 0) FROM event", vec![]).await;
    assert_eq!((events, different), (last, last), "a gap, or a number given twice");
    last
}

async fn a_relay_that_dies_between_leaves_nothing(db: Db) {
    let shop = Shop::idle(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let relay = shop.relay(Dying::new(None));
    let mut deaths = 0;
    for number in 0..6 {
        shop.brand(&format!("Brand {number}")).await;
        let before = (last_number(&shop).await, shop.deliveries(&endpoint).await.len());
        while relay.round().await.is_err() {
            deaths += 1;
            let after = (last_number(&shop).await, shop.deliveries(&endpoint).await.len());
            assert_eq!(after, before, "neither the number nor the delivery");
        }
        assert_eq!(shop.deliveries(&endpoint).await.len(), number + 1);
    }
    assert!(deaths >= 10, "{deaths}");
    let shop = shop.work();
    shop.settle().await;
    assert_eq!(shop.carrier.sent("a.example").len(), 6);
    assert_eq!(last_number(&shop).await, 7);
}

async fn racing_relays_leave_no_gap_and_no_double(db: Db) {
    let shop = Arc::new(Shop::idle(db).await);
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let writing = Arc::new(AtomicUsize::new(4));
    let writers = (0..4).map(|writer| {
        let (shop, writing) = (shop.clone(), writing.clone());
        tokio::spawn(async move {
            let brand = shop.brand(&format!("Writer {writer}")).await;
            for number in 0..12 {
                shop.rename(&brand, &format!("Writer {writer} {number}")).await;
            }
            writing.fetch_sub(1, Ordering::SeqCst);
        })
    });
    let relays = (0..3).map(|_| {
        let (shop, writing) = (shop.clone(), writing.clone());
        let relay = shop.relay(Arc::new(FanOut::default()));
        tokio::spawn(async move {
            // Until nothing is written any more, and nothing is left.
            while writing.load(Ordering::SeqCst) > 0 || relay.round().await.unwrap() > 0 {
                relay.round().await.unwrap();
            }
        })
    });
    let all: Vec<_> = writers.chain(relays.collect::<Vec<_>>()).collect();
    for done in futures::future::join_all(all).await {
        done.unwrap();
    }
    assert_eq!(last_number(&shop).await, 1 + 4 * 13);
    let deliveries = "SELECT count(*) FROM webhook_delivery";
    assert_eq!(shop.number(deliveries, vec![]).await, 4 * 13);
    let different = "SELECT count(DISTINCT event_id) FROM webhook_delivery";
    assert_eq!(shop.number(different, vec![]).await, 4 * 13);
    // Of one object, in the order of its changes.
    let swapped = "SELECT count(*) FROM event a JOIN event b ON a.object_id = b.object_id \
                   WHERE a.object_version < b.object_version AND a.sequence > b.sequence";
    assert_eq!(shop.number(swapped, vec![]).await, 0);
    drop(endpoint);
}

async fn one_that_cannot_be_numbered_holds_up_nobody(db: Db) {
    let shop = Shop::idle(db).await;
    let mut organizations = vec![shop.organization, shop.another().await, shop.another().await];
    organizations.sort_unstable();
    for organization in &organizations {
        shop.call_in(*organization, "brand.create", json!({"name": "A"})).await;
    }
    let relay = shop.relay(Dying::new(Some(organizations[0])));
    assert_eq!(relay.round().await.unwrap(), 2);
    assert!(relay.round().await.is_err(), "so that it is not tried again at once");
    let relay = shop.relay(Arc::new(FanOut::default()));
    assert_eq!(relay.round().await.unwrap(), 1);
}

async fn a_hundred_others_hold_up_nobody(db: Db) {
    let shop = Shop::idle(db).await;
    for _ in 0..105 {
        let organization = shop.another().await;
        shop.call_in(organization, "brand.create", json!({"name": "A"})).await;
    }
    let relay = shop.relay(Arc::new(FanOut::default()));
    assert_eq!(relay.round().await.unwrap(), 105, "each in one round");
}

/// Writers, two processes, many endpoints, on and off: nothing is lost, and nobody waits for one
/// another for ever.
async fn many_of_everything_at_once(db: Db) {
    let shop = Shop::open(db).await;
    let mut second = Some(shop.worker());
    let mut endpoints = Vec::new();
    for number in 0..8 {
        let ordering = if number % 2 == 0 { "none" } else { "per_object" };
        let host = format!("e{number}.example");
        endpoints.push(shop.endpoint(&host, json!({"ordering": ordering})).await);
    }
    let writers = (0..4).map(|writer| {
        let shop = shop.share();
        tokio::spawn(async move {
            let brand = shop.brand(&format!("Writer {writer}")).await;
            for number in 0..15 {
                shop.rename(&brand, &format!("Writer {writer} {number}")).await;
            }
        })
    });
    let switch = {
        let (shop, endpoint) = (shop.share(), endpoints[0].clone());
        tokio::spawn(async move {
            for _ in 0..8 {
                for verb in ["pause", "resume"] {
                    let operation = format!("webhook_endpoint.{verb}");
                    shop.call(&operation, crate::shop::id(&endpoint), json!(null)).await;
                }
            }
        })
    };
    for done in futures::future::join_all(writers.chain([switch]).collect::<Vec<_>>()).await {
        done.unwrap();
    }
    shop.settle().await;
    second.take().unwrap().stop().await;
    for (number, _) in endpoints.iter().enumerate() {
        let sent = shop.carrier.sent(&format!("e{number}.example"));
        let events: HashSet<_> = sent.iter().map(Sent::event).collect();
        assert_eq!(events.len(), 4 * 16, "e{number}");
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        for sent in sent.iter().filter(|_| number % 2 == 1) {
            let before = last.insert(sent.object(), sent.sequence()).unwrap_or_default();
            assert!(sent.sequence() >= before, "e{number} out of order");
        }
    }
    last_number(&shop).await;
    if shop.platform.db.backend() == DbBackend::Postgres {
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(shop.number(deadlocks, vec![]).await, 0);
    }
}
