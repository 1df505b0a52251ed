//! Who sees what of the log: an event tells of an object, so it is for those only who may read that
//! object, and so is everything that tells of the event.

use std::collections::{BTreeMap, BTreeSet};

use bodega_contract::Registry;
use bodega_kernel::{FieldError, Noun, Platform, Problem, Result, ScopeSet, Text, problem, text};
use entity::webhooks::{event, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition};
use serde_json::Value;

use crate::endpoint::scopes;
use crate::event_type::EventPattern;
use crate::webhook_delivery::WebhookDelivery;

/// The scope that reading takes, by the kind of object. The list of operations tells, so the program
/// gives it as a port.
pub struct ReadScopes {
    objects: BTreeMap<&'static str, &'static str>,
    events: Vec<&'static str>,
}

impl ReadScopes {
    /// As the registry has them.
    pub fn of(registry: &Registry) -> Self {
        let scope = |(name, _)| Some((name, registry.read_scope(name)?));
        Self {
            objects: registry.resources().filter_map(scope).collect(),
            events: registry.events().keys().copied().collect(),
        }
    }
}

/// What somebody may see of the log.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    /// Everything, also what no resource declares any more.
    Everything,
    /// What tells of these.
    Some {
        /// Kinds of objects: `product`.
        objects: BTreeSet<&'static str>,
        /// Types of events: `product.created`.
        events: BTreeSet<&'static str>,
    },
}

impl Sight {
    /// What these scopes let one see.
    pub(crate) fn of(platform: &Platform, scopes: &ScopeSet) -> Result<Self> {
        if scopes.is_all() {
            return Ok(Self::Everything);
        }
        let known = platform.ports.get::<ReadScopes>()?;
        let held = known.objects.iter().filter(|(_, scope)| scopes.holds(scope));
        let objects: BTreeSet<_> = held.map(|(object, _)| *object).collect();
        let events = known.events.iter().copied();
        let events = events.filter(|kind| objects.contains(object_of(kind))).collect();
        Ok(Self::Some { objects, events })
    }

    /// Whether this event is among it.
    pub(crate) fn covers(&self, event: &event::Model) -> bool {
        let Self::Some { objects, events } = self else { return true };
        // A delivery tells of an event in its turn.
        let inner = || {
            let told = event.data["event_type"].as_str().unwrap_or_default();
            event.data["sequence"] == Value::Null || events.contains(told)
        };
        objects.contains(event.object_type.as_str())
            && (event.object_type != WebhookDelivery::NAME || inner())
    }

    /// The same as [`Sight::covers`], asked of rows of the log.
    pub(crate) fn of_events(&self) -> Option<Condition> {
        use event::Column::ObjectType;
        let Self::Some { objects, events } = self else { return None };
        let all = Condition::all().add(ObjectType.is_in(objects.iter().copied()));
        if !objects.contains(WebhookDelivery::NAME) {
            return Some(all);
        }
        // Written out: a placeholder looks different on each database, this the same.
        let sequence = Expr::cust("(\"event\".\"data\" ->> 'sequence')");
        let told = Expr::cust("(\"event\".\"data\" ->> 'event_type')");
        let inner = Condition::any()
            .add(ObjectType.ne(WebhookDelivery::NAME))
            .add(sequence.is_null())
            .add(told.is_in(events.iter().copied()));
        Some(all.add(inner))
    }

    /// Deliveries of what is among it. A sample is always the same and tells of nobody.
    pub(crate) fn of_deliveries(&self) -> Option<Condition> {
        use webhook_delivery::Column::{EventType, Sequence};
        let Self::Some { events, .. } = self else { return None };
        let told = EventType.is_in(events.iter().copied());
        Some(Condition::any().add(Sequence.is_null()).add(told))
    }
}

/// The kind of object that an event of this type, or a pattern of such, tells of.
fn object_of(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(object, _)| object)
}

/// Refuses patterns that name what these scopes cannot read; `*` is all that they can.
pub(crate) fn may_name(
    platform: &Platform,
    scopes: &ScopeSet,
    patterns: &[EventPattern],
) -> Result<()> {
    if scopes.is_all() {
        return Ok(());
    }
    let known = platform.ports.get::<ReadScopes>()?;
    for (index, pattern) in patterns.iter().enumerate() {
        let scope = known.objects.get(object_of(&pattern.0));
        if let Some(scope) = scope.filter(|scope| !scopes.holds(scope)) {
            let detail = text(
                format!("tells of what takes the scope `{scope}` to read"),
                format!("informa de lo que requiere el permiso `{scope}` para leerse"),
            );
            let pointer = format!("/event_types/{index}");
            let error = FieldError::body(pointer, problem::INSUFFICIENT_SCOPE.code, detail);
            return Err(Problem::lacks(scope).at(error));
        }
    }
    Ok(())
}

/// Refuses to send an endpoint an event that whoever set what it is sent may not see.
pub(crate) fn may_be_sent(
    platform: &Platform,
    endpoint: &webhook_endpoint::Model,
    event: &event::Model,
) -> Result<()> {
    match Sight::of(platform, &scopes(endpoint))?.covers(event) {
        true => Ok(()),
        false => Err(Problem::new(&problem::INSUFFICIENT_SCOPE).detail(beyond(event))),
    }
}

/// Why an endpoint is not sent an event that is not among what it may be sent.
pub(crate) fn beyond(event: &event::Model) -> Text {
    let kind = &event.object_type;
    text(
        format!("Whoever last set what the endpoint is sent may not read {kind} objects."),
        format!("Quien fijó por última vez lo que recibe el destino no puede leer {kind}."),
    )
}
