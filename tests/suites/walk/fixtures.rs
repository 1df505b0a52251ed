//! What the walkers send: for each resource how one is made, changed and acted upon. An operation
//! that is not covered here fails every suite by its name.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::operations::Operation;

/// How the objects of a resource come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By the resource's own `create`.
    Made,
    /// The one that the key belongs to is the only one that it sees.
    Own,
    /// By calling anything: the newest of its list, once there is one.
    Noted,
    /// By another operation, which answers with it.
    By(&'static str),
    /// With an object of another resource, which links to it.
    With(&'static str, &'static str),
    /// It is there from the start, by this name.
    Named(&'static str),
    /// By a row put into the database, because nothing calls it forth yet.
    Planted,
    /// There are no objects.
    Never,
}

/// What the walkers know of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Fixture {
    /// `variant`.
    pub resource: &'static str,
    /// Where its objects come from.
    pub origin: Origin,
    /// A new valid body, never the same twice. [`a`] stands for the id of a new object.
    pub create: Option<fn() -> Value>,
    /// A valid patch that changes something, each time.
    pub patch: Option<fn() -> Value>,
    /// Its other operations.
    pub actions: &'static [Action],
    /// The resources whose objects go with one of these, and the field that holds its id.
    pub children: &'static [(&'static str, &'static str)],
    /// Scopes that a verb takes beside the operation's own: nobody gives what they do not have.
    pub needs: &'static [(&'static str, &'static [&'static str])],
}

/// An operation beyond `list`, `get`, `create`, `update` and `delete`.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// `reject`.
    pub verb: &'static str,
    /// A valid body, where it takes one.
    pub body: Option<fn() -> Value>,
    /// The actions that bring a new object to where this one is possible.
    pub after: &'static [&'static str],
}

const NONE: Fixture = Fixture {
    resource: "",
    origin: Origin::Made,
    create: None,
    patch: None,
    actions: &[],
    children: &[],
    needs: &[],
};

const fn act(verb: &'static str, after: &'static [&'static str]) -> Action {
    Action { verb, body: None, after }
}

/// Why there are resources whose objects no call makes. This list may only shrink.
pub const PLANTED: &[(&str, &str)] = &[
    ("deprecation", "nothing of the API goes away yet, so no key can be seen to use it"),
    ("webhook_attempt", "workers make them, and the walkers' servers have none"),
];

/// What the presets of a founded organization's first keys give away.
const ADMIN: &[&str] = &[
    "catalog:read",
    "catalog:write",
    "events:read",
    "graphql:read",
    "graphql:write",
    "organization:read",
    "organization:write",
    "keys:read",
    "keys:write",
    "audit:read",
    "webhooks:read",
    "webhooks:write",
];

/// An event is seen with the scope that reads its object, and the newest may tell of any.
const READS: &[&str] =
    &["catalog:read", "graphql:read", "organization:read", "keys:read", "webhooks:read"];

/// Every resource.
pub const FIXTURES: &[Fixture] = &[
    Fixture {
        resource: "organization",
        origin: Origin::Own,
        create: Some(|| {
            json!({"name": fresh("Tienda"), "currency": "MXN", "external_id": fresh("org"),
                "metadata": {"made": "by a walker"}})
        }),
        patch: Some(|| json!({"name": fresh("Tienda"), "language": "es-MX"})),
        needs: &[("create", ADMIN)],
        ..NONE
    },
    Fixture {
        resource: "api_key",
        create: Some(|| {
            json!({"name": fresh("Key"), "scopes": ["catalog:read"], "plan": "standard",
                "expires_at": "2999-12-31T00:00:00Z", "external_id": fresh("key"),
                "metadata": {"made": "by a walker"}})
        }),
        patch: Some(|| json!({"name": fresh("Key"), "allowed_ips": ["127.0.0.0/8"]})),
        actions: &[
            Action { verb: "rotate", body: Some(|| json!({"overlap_seconds": 60})), after: &[] },
            act("revoke", &[]),
        ],
        needs: &[
            ("create", &["catalog:read"]),
            ("update", &["catalog:read"]),
            ("rotate", &["catalog:read"]),
        ],
        ..NONE
    },
    Fixture { resource: "audit_entry", origin: Origin::Noted, ..NONE },
    Fixture { resource: "request", origin: Origin::Noted, ..NONE },
    Fixture { resource: "event", origin: Origin::Noted, needs: &[("get", READS)], ..NONE },
    Fixture {
        resource: "event_type",
        origin: Origin::Named("brand.created"),
        actions: &[act("samples", &[])],
        ..NONE
    },
    Fixture {
        resource: "webhook_endpoint",
        create: Some(|| {
            json!({"url": format!("https://shop.example.com/{}", fresh("hook")),
                "event_types": ["product.*", "brand.created"], "description": "Web shop",
                "filter": "event.data.name != ''", "changed_fields": ["name"],
                "fields": ["id", "name"], "ordering": "per_object",
                "custom_headers": [{"name": "X-Shop", "value": "norte"}],
                "rate_limit_per_second": 10, "external_id": fresh("endpoint")})
        }),
        patch: Some(|| json!({"description": fresh("Web shop"), "filter": null})),
        actions: &[
            act("pause", &[]),
            act("resume", &["pause"]),
            Action {
                verb: "rotate_secret",
                body: Some(|| json!({"overlap_seconds": next() % 600_000})),
                after: &[],
            },
            Action {
                verb: "test",
                body: Some(|| {
                    static TURN: AtomicUsize = AtomicUsize::new(0);
                    let verb =
                        ["created", "updated", "deleted"][TURN.fetch_add(1, Ordering::Relaxed) % 3];
                    json!({"event_type": format!("brand.{verb}")})
                }),
                after: &[],
            },
            Action { verb: "explain", body: Some(|| json!({"event_id": a("event")})), after: &[] },
            Action {
                verb: "replay",
                body: Some(|| json!({"from": format!("2026-01-01T00:00:00.{:06}Z", next())})),
                after: &[],
            },
        ],
        // Nobody is sent what they could not read.
        needs: &[("create", &["catalog:read"]), ("explain", READS)],
        ..NONE
    },
    Fixture {
        resource: "webhook_health",
        origin: Origin::With("webhook_endpoint", "health"),
        ..NONE
    },
    Fixture {
        resource: "webhook_delivery",
        origin: Origin::By("webhook_endpoint.test"),
        actions: &[act("resend", &[]), act("cancel", &[])],
        ..NONE
    },
    Fixture {
        resource: "trusted_document",
        create: Some(
            || json!({"text": format!("{{ brands {{ totalCount }} }} # {}", fresh("q")), "name": fresh("Brands"), "external_id": fresh("document")}),
        ),
        ..NONE
    },
    Fixture { resource: "webhook_attempt", origin: Origin::Planted, ..NONE },
    Fixture { resource: "deprecation", origin: Origin::Planted, ..NONE },
    Fixture {
        resource: "product",
        create: Some(|| {
            json!({"title": fresh("Hammer"), "slug": fresh("hammer"), "kind": "good",
                "brand_id": a("brand"), "category_ids": [a("category")],
                "options": [{"name": "Size", "values": ["S", "M"]}],
                "external_id": fresh("product"), "metadata": {"shelf": "A-12"}})
        }),
        patch: Some(|| json!({"title": fresh("Hammer"), "metadata": {"shelf": fresh("B")}})),
        actions: &[
            act("publish", &[]),
            act("archive", &[]),
            act("propose", &[]),
            act("withdraw", &["propose"]),
            act("reject", &["propose"]),
            act("reopen", &["archive"]),
        ],
        children: &[("variant", "product_id")],
        ..NONE
    },
    Fixture {
        resource: "variant",
        create: Some(|| {
            json!({"product_id": a("product"), "sku": fresh("SKU"), "barcode": fresh("750"),
                "options": {"Size": "S"}, "weight_grams": 500,
                "dimensions": {"length_mm": 300, "width_mm": 200, "height_mm": 50},
                "cost": {"amount": 1_999, "currency": "MXN"}, "external_id": fresh("variant")})
        }),
        patch: Some(|| {
            json!({"barcode": fresh("751"),
                "retail_price": {"amount": next() + 1, "currency": "MXN"}})
        }),
        children: &[("price", "variant_id")],
        ..NONE
    },
    Fixture {
        resource: "price",
        create: Some(|| {
            json!({"variant_id": a("variant"), "min_quantity": "2.5",
                "unit_price": {"amount": next() + 1, "currency": "MXN"},
                "external_id": fresh("price")})
        }),
        patch: Some(|| json!({"unit_price": {"amount": next() + 1, "currency": "MXN"}})),
        ..NONE
    },
    Fixture {
        resource: "brand",
        create: Some(|| {
            json!({"name": fresh("Casa Norte"), "slug": fresh("casa-norte"),
                "website": "https://casanorte.example", "external_id": fresh("brand")})
        }),
        patch: Some(|| json!({"name": fresh("Casa Sur"), "website": null})),
        ..NONE
    },
    Fixture {
        resource: "category",
        create: Some(|| {
            json!({"name": fresh("Tools"), "slug": fresh("tools"), "parent_id": a("category"),
                "position": 3, "external_id": fresh("category")})
        }),
        patch: Some(|| json!({"name": fresh("Hand tools"), "description": fresh("All")})),
        ..NONE
    },
    Fixture {
        resource: "collection",
        create: Some(|| {
            json!({"title": fresh("Back to school"), "slug": fresh("back-to-school"),
                "product_ids": [a("product")], "external_id": fresh("collection")})
        }),
        patch: Some(|| json!({"title": fresh("Back to work"), "description": "For the office"})),
        ..NONE
    },
    Fixture {
        resource: "batch",
        origin: Origin::Never,
        actions: &[Action {
            verb: "run",
            body: Some(|| {
                json!({"atomic": true, "operations": [
                    {"method": "POST", "path": "/v1/brands", "body": {"name": fresh("Batch")}},
                    {"method": "GET", "path": "/v1/brands?limit=1"},
                ]})
            }),
            after: &[],
        }],
        ..NONE
    },
];

/// Stands for the id of a new object of this resource, which is made first.
pub fn a(resource: &str) -> String {
    format!("a new {resource}")
}

/// The resource that [`a`] stands for.
pub fn wanted(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix("a new ")
}

/// A text that was never there before: `hammer-17-8f3a0c`. It fits a slug if the word does.
pub fn fresh(word: &str) -> String {
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("{word}-{}-{}", next(), &random[20..])
}

/// A number that was never there before.
pub fn next() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// An id of nothing.
pub fn nowhere(prefix: &str) -> String {
    // The digits of hexadecimal are digits of base32 too.
    format!("{prefix}_0{}", &uuid::Uuid::now_v7().simple().to_string()[..25])
}

/// What is known of a resource.
pub fn of(resource: &str) -> Option<&'static Fixture> {
    FIXTURES.iter().find(|fixture| fixture.resource == resource)
}

impl Fixture {
    /// An action of it.
    pub fn action(&self, verb: &str) -> Option<&'static Action> {
        self.actions.iter().find(|action| action.verb == verb)
    }

    /// The field of a body that points at another object of its kind.
    pub fn own_field(&self) -> Option<String> {
        let body = self.create?();
        let mut members = body.as_object()?.iter();
        let own = members.find(|(_, value)| wanted(value) == Some(self.resource));
        own.map(|(field, _)| field.clone())
    }

    /// Whether there is something to send for this verb.
    fn covers(&self, verb: &str) -> bool {
        match verb {
            "list" => true,
            "get" => self.origin != Origin::Never,
            "create" => self.create.is_some(),
            "update" => self.patch.is_some(),
            "delete" => self.origin == Origin::Made,
            verb => self.action(verb).is_some(),
        }
    }

    /// The scopes that a verb takes beside the operation's own.
    pub fn needs(&self, verb: &str) -> &'static [&'static str] {
        let found = self.needs.iter().find(|(needy, _)| *needy == verb);
        found.map(|(_, scopes)| *scopes).unwrap_or_default()
    }
}

/// What is wrong with the table: operations it does not know, and entries for what is not there.
pub fn gaps(operations: &[Operation]) -> Vec<String> {
    let mut gaps = Vec::new();
    for operation in operations {
        let covered = of(&operation.resource).is_some_and(|one| one.covers(&operation.verb));
        if !covered {
            gaps.push(format!("{}: no walker input for it", operation.id));
        }
    }
    let ids: BTreeSet<&str> = operations.iter().map(|operation| operation.id.as_str()).collect();
    for fixture in FIXTURES {
        let has = |verb: &str| ids.contains(format!("{}.{verb}", fixture.resource).as_str());
        let given = [("create", fixture.create.is_some()), ("update", fixture.patch.is_some())];
        let given = given.into_iter().filter(|(_, given)| *given).map(|(verb, _)| verb);
        for verb in given.chain(fixture.actions.iter().map(|action| action.verb)) {
            if !has(verb) {
                gaps.push(format!("{}.{verb}: walker input for no operation", fixture.resource));
            }
        }
        let planted = PLANTED.iter().any(|(resource, _)| *resource == fixture.resource);
        if planted != (fixture.origin == Origin::Planted) {
            gaps.push(format!("{}: planted without a reason, or the reverse", fixture.resource));
        }
    }
    gaps
}
