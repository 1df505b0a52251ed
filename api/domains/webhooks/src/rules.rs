//! Which events an endpoint is sent: one list of checks, walked by the fan-out and told by
//! `explain`, so that the two can never say different things.

use std::sync::OnceLock;

use bodega_kernel::{Id, Platform, Result, Text, text};
use entity::webhooks::webhook_endpoint::DisabledReason;
use entity::webhooks::{event, webhook_endpoint};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::endpoint::{WebhookEndpoint, scopes};
use crate::filter::{Filter, PATTERNS_MAX, Seen, Verdict};
use crate::sight::{Sight, beyond};
use crate::stored;

/// What has to hold for an event to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// Whoever last set what the endpoint is sent may read what the event tells of.
    Scope,
    /// The endpoint was there when the event happened.
    Existed,
    /// The endpoint takes events.
    State,
    /// One of the patterns fits the event's type.
    EventType,
    /// One of the fields is among those that changed.
    ChangedFields,
    /// The filter expression is true.
    Filter,
}

/// One check on one event.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: CheckName,
    pub(crate) passed: bool,
    pub(crate) said: Text,
}

/// An endpoint's rules, compiled.
pub(crate) struct Rules {
    sight: Sight,
    patterns: Vec<String>,
    changed: Vec<String>,
    source: Option<String>,
    /// Compiled when it is first asked.
    filter: OnceLock<Asked>,
}

/// What an endpoint's filter is.
enum Asked {
    Nothing,
    Filter(Filter),
    /// It was fine when it was saved, and is not by the rules of today: nothing passes.
    Invalid(Text),
}

impl Rules {
    pub(crate) fn of(platform: &Platform, endpoint: &webhook_endpoint::Model) -> Result<Self> {
        Ok(Self {
            sight: Sight::of(platform, &scopes(endpoint))?,
            patterns: stored(&endpoint.event_types),
            changed: stored(&endpoint.changed_fields),
            source: endpoint.filter.clone(),
            filter: OnceLock::new(),
        })
    }

    /// Whether the event is sent, if the filter, where there is one, lets it through.
    pub(crate) fn concerns(&self, event: &event::Model) -> bool {
        self.fits(&event.r#type) && self.sight.covers(event) && self.changed(event)
    }

    /// Whether a filter has to be asked of an event that concerns the endpoint.
    pub(crate) fn has_filter(&self) -> bool {
        self.source.is_some()
    }

    /// Whether the filter was compiled already, which takes a while.
    pub(crate) fn is_compiled(&self) -> bool {
        self.filter.get().is_some()
    }

    /// What the filter says of an event that concerns the endpoint, and the fuel that it took.
    pub(crate) fn verdict(&self, event: &Seen<'_>) -> (Verdict, u64) {
        match self.asked() {
            Asked::Nothing => (Verdict::Passes, 0),
            Asked::Filter(filter) => filter.weighed(event),
            Asked::Invalid(_) => (Verdict::Fails, 0),
        }
    }

    fn asked(&self) -> &Asked {
        self.filter.get_or_init(|| match self.source.as_deref().map(Filter::compile) {
            None => Asked::Nothing,
            Some(Ok(filter)) => Asked::Filter(filter),
            Some(Err(problem)) => {
                let said = problem.errors.first().map(|error| error.detail.clone());
                Asked::Invalid(said.unwrap_or_else(|| text("is not valid", "no es válido")))
            }
        })
    }

    /// What they are worth in a cache: a pattern keeps much more than all the rest.
    pub(crate) fn weight(&self) -> u32 {
        const PATTERN: usize = 16;
        let source = self.source.as_deref().unwrap_or_default();
        let patterns = source.matches("matches").count().min(PATTERNS_MAX);
        u32::try_from(1 + PATTERN * patterns).unwrap_or(u32::MAX)
    }

    fn fits(&self, kind: &str) -> bool {
        self.patterns.iter().any(|pattern| fits(pattern, kind))
    }

    /// Making and removing change everything; of an update, one of the fields must be in `previous`.
    fn changed(&self, event: &event::Model) -> bool {
        let Some(previous) = &event.previous else { return true };
        self.changed.is_empty()
            || self.changed.iter().any(|path| {
                let pointer = format!("/{}", path.replace('.', "/"));
                // What is in an object that was null, or is, was or is not there.
                let changed = path.split('.').next().is_some_and(|top| previous.get(top).is_some());
                changed && previous.pointer(&pointer) != event.data.pointer(&pointer)
            })
    }

    /// Every check, passed or not, with what it says.
    pub(crate) fn explain(
        &self,
        endpoint: &webhook_endpoint::Model,
        event: &event::Model,
    ) -> Vec<Check> {
        let patterns = self.patterns.join(", ");
        let changed = event
            .previous
            .as_ref()
            .and_then(Value::as_object)
            .map(|all| all.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
        let (passed, filter_said) = match self.asked() {
            Asked::Nothing => (true, text("There is no filter.", "No hay filtro.")),
            Asked::Filter(filter) => {
                let verdict = filter.weighed(&Seen::of(event)).0;
                (verdict == Verdict::Passes, filter_said(verdict))
            }
            Asked::Invalid(why) => (false, invalid_said(why)),
        };
        vec![
            self.scope(event),
            Check {
                name: CheckName::Existed,
                passed: is_after(endpoint, event),
                said: text(
                    format!("The endpoint was made at {}.", endpoint.created_at.to_rfc3339()),
                    format!("El destino se creó el {}.", endpoint.created_at.to_rfc3339()),
                ),
            },
            Check {
                name: CheckName::State,
                passed: !matches!(
                    endpoint.disabled_reason,
                    Some(DisabledReason::Gone | DisabledReason::FilterTooCostly)
                ),
                said: text(
                    format!("The endpoint is {}.", endpoint.state),
                    format!("El estado del destino es {}.", endpoint.state),
                ),
            },
            Check {
                name: CheckName::EventType,
                passed: self.fits(&event.r#type),
                said: text(
                    format!("The event is {}; the endpoint takes {patterns}.", event.r#type),
                    format!("El evento es {}; el destino acepta {patterns}.", event.r#type),
                ),
            },
            Check {
                name: CheckName::ChangedFields,
                passed: self.changed(event),
                said: self.changed_said(changed),
            },
            Check { name: CheckName::Filter, passed, said: filter_said },
        ]
    }

    fn scope(&self, event: &event::Model) -> Check {
        let (passed, kind) = (self.sight.covers(event), &event.object_type);
        let said = match passed {
            true => text(
                format!("Whoever last set what the endpoint is sent may read {kind} objects."),
                format!("Quien fijó por última vez lo que recibe el destino puede leer {kind}."),
            ),
            false => beyond(event),
        };
        Check { name: CheckName::Scope, passed, said }
    }

    fn changed_said(&self, changed: Option<String>) -> Text {
        let wanted = self.changed.join(", ");
        match changed {
            _ if self.changed.is_empty() => {
                text("Any change is sent.", "Se envía cualquier cambio.")
            }
            None => text(
                "The object was made or removed, which changes every field.",
                "El objeto se creó o se eliminó, lo que cambia todos los campos.",
            ),
            Some(changed) => text(
                format!("{changed} changed; the endpoint waits for {wanted}."),
                format!("Cambió {changed}; el destino espera {wanted}."),
            ),
        }
    }
}

fn filter_said(verdict: Verdict) -> Text {
    match verdict {
        Verdict::Passes => text("The filter is true.", "El filtro es verdadero."),
        Verdict::Fails => text("The filter is false.", "El filtro es falso."),
        Verdict::Broken(why) => text(
            format!("The filter could not be worked out: {why}."),
            format!("No se pudo evaluar el filtro: {why}."),
        ),
        Verdict::TooCostly => text(
            "The filter takes more steps or memory than one event may.",
            "El filtro usa más pasos o memoria de los que un evento puede usar.",
        ),
    }
}

fn invalid_said(why: &Text) -> Text {
    use bodega_kernel::Language::{English, Spanish};
    text(
        format!("The filter is not valid any more and lets nothing through: {}.", why.get(English)),
        format!("El filtro ya no es válido y no deja pasar nada: {}.", why.get(Spanish)),
    )
}

/// Whether an event happened after the endpoint was made. What the same call changed beside it is
/// sent; the endpoint's own making is known to whoever made it.
pub(crate) fn is_after(endpoint: &webhook_endpoint::Model, event: &event::Model) -> bool {
    let own = || event.object_id == Id::<WebhookEndpoint>::from_uuid(endpoint.id).to_string();
    event.created_at > endpoint.created_at || event.created_at == endpoint.created_at && !own()
}

/// Whether `order.*`, `*` or `order.confirmed` fits a type.
pub fn fits(pattern: &str, kind: &str) -> bool {
    pattern == "*"
        || pattern == kind
        || pattern.strip_suffix(".*").is_some_and(|resource| {
            kind.strip_prefix(resource).is_some_and(|rest| rest.starts_with('.'))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        assert!(fits("*", "order.created"));
        assert!(fits("order.*", "order.created"));
        assert!(fits("order.created", "order.created"));
        assert!(!fits("order.*", "orders.created"));
        assert!(!fits("order.*", "order_line.created"));
        assert!(!fits("order.created", "order.created_twice"));
    }

    fn changed(fields: &[&str], previous: Option<Value>, data: Value) -> bool {
        let changed = fields.iter().map(|field| (*field).to_owned()).collect();
        let rules = Rules {
            sight: Sight::Everything,
            patterns: vec!["*".to_owned()],
            changed,
            source: None,
            filter: OnceLock::new(),
        };
        rules.changed(&event::Model {
            id: uuid::Uuid::nil(),
            organization_id: uuid::Uuid::nil(),
            sequence: Some(1),
            r#type: "variant.updated".to_owned(),
            object_type: "variant".to_owned(),
            object_id: "var_1".to_owned(),
            object_version: 2,
            api_version: String::new(),
            actor_type: "system".to_owned(),
            actor_id: None,
            request_id: uuid::Uuid::nil(),
            traceparent: String::new(),
            data,
            previous,
            created_at: chrono::DateTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn one_of_the_fields_must_have_changed() {
        let data = json!({"sku": "a", "size": {"length": 3, "width": 2}});
        let previous = |json| Some(json);
        let length = &["size.length"];
        assert!(changed(&["price", "sku"], previous(json!({"sku": "b"})), data.clone()));
        assert!(!changed(&["price"], previous(json!({"sku": "b"})), data.clone()));
        assert!(changed(
            length,
            previous(json!({"size": {"length": 1, "width": 2}})),
            data.clone()
        ));
        assert!(!changed(
            length,
            previous(json!({"size": {"length": 3, "width": 1}})),
            data.clone()
        ));
        // An object that was null, or is.
        assert!(changed(length, previous(json!({"size": null})), data.clone()));
        let gone = json!({"sku": "a", "size": null});
        assert!(changed(length, previous(json!({"size": {"length": 3}})), gone.clone()));
        assert!(!changed(&["size.depth"], previous(json!({"size": {"length": 3}})), gone));
        // Making and removing change everything; what was only marked has changed nothing.
        assert!(changed(&["price"], None, data.clone()));
        assert!(!changed(&["price"], previous(json!({})), data.clone()));
        assert!(changed(&[], previous(json!({})), data));
    }
}
