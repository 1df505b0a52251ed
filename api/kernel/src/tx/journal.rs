//! The journal of an open transaction: what its commit writes beside the changes themselves.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use entity::Stored;
use entity::identity::audit_entry;
use entity::webhooks::event;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Tx;
use crate::{Actor, Event, Id, Job, Noun, Origin};

#[derive(Default)]
pub(super) struct Journal {
    pub(super) events: Vec<event::Model>,
    pub(super) audit: Vec<audit_entry::Model>,
    pub(super) jobs: Vec<Job>,
    pub(super) signals: Vec<&'static str>,
    pub(super) guard: Option<Guard>,
    /// What the logs of other organizations say of where a change of theirs came from.
    pub(super) outside: HashMap<Uuid, Origin>,
}

/// `If-Match`: the version that the object of the call must have.
pub(super) struct Guard {
    pub(super) object: Uuid,
    pub(super) version: i64,
    pub(super) checked: bool,
}

/// What a change is of.
pub(super) struct Written {
    pub(super) organization: Uuid,
    pub(super) id: Uuid,
    pub(super) version: i64,
}

impl Written {
    pub(super) fn of(row: &impl Stored) -> Self {
        Self { organization: row.organization_id(), id: row.id(), version: row.version() }
    }
}

impl Tx {
    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change goes into the log of the organization that has the object. Where that is another than
    /// the caller's, as when one is founded, it is not told who did it from outside, nor by which
    /// call, and the caller's own audit log says only which object was made.
    pub(super) fn note<V: Noun>(
        &self,
        event: &'static Event,
        object: Written,
        before: Option<Value>,
        after: Option<Value>,
    ) {
        let cx = &self.cx;
        let object_id = Id::<V>::from_uuid(object.id).to_string();
        let (was, is) = match (&before, &after) {
            (Some(before), Some(after)) => {
                let (was, is) = difference(before, after);
                (Some(was), Some(is))
            }
            _ => (before.clone(), after.clone()),
        };
        let previous =
            if after.is_some() { was.clone().filter(|_| before.is_some()) } else { None };
        let outside = object.organization != cx.organization;
        let system = outside.then(|| {
            let made = || Origin::system(cx.origin.operation, &cx.origin.api_version);
            self.journal().outside.entry(object.organization).or_insert_with(made).clone()
        });
        let actor = if outside { Actor { kind: "system", id: None } } else { cx.actor.clone() };
        let origin = system.as_ref().unwrap_or(&cx.origin);
        let entry = audit_entry::Model {
            id: Uuid::now_v7(),
            organization_id: object.organization,
            operation: origin.operation.to_owned(),
            object_type: V::NAME.to_owned(),
            object_id: object_id.clone(),
            actor_type: actor.kind.to_owned(),
            actor_id: actor.id.clone(),
            ip: origin.ip.clone(),
            user_agent: origin.user_agent.clone(),
            request_id: origin.request_id,
            traceparent: origin.traceparent.clone(),
            before: was,
            after: is,
            created_at: cx.now,
        };
        let own = outside.then(|| audit_entry::Model {
            id: Uuid::now_v7(),
            organization_id: cx.organization,
            actor_type: cx.actor.kind.to_owned(),
            actor_id: cx.actor.id.clone(),
            ip: cx.origin.ip.clone(),
            user_agent: cx.origin.user_agent.clone(),
            request_id: cx.origin.request_id,
            traceparent: cx.origin.traceparent.clone(),
            before: None,
            after: Some(json!({ "id": object_id })),
            ..entry.clone()
        });
        let mut journal = self.journal();
        journal.events.push(event::Model {
            id: Uuid::now_v7(),
            organization_id: object.organization,
            sequence: None,
            r#type: event.name.to_owned(),
            object_type: V::NAME.to_owned(),
            object_id,
            object_version: object.version,
            api_version: cx.origin.api_version.clone(),
            actor_type: actor.kind.to_owned(),
            actor_id: actor.id,
            request_id: origin.request_id,
            traceparent: origin.traceparent.clone(),
            data: after.or(before).unwrap_or_default(),
            previous,
            created_at: cx.now,
        });
        journal.audit.push(entry);
        journal.audit.extend(own);
    }
}

/// The members that differ: as they were, as they are.
pub(super) fn difference(before: &Value, after: &Value) -> (Value, Value) {
    let (mut was, mut is) = (Map::new(), Map::new());
    if let (Value::Object(before), Value::Object(after)) = (before, after) {
        for (name, value) in after {
            let old = before.get(name).unwrap_or(&Value::Null);
            if old != value {
                was.insert(name.clone(), old.clone());
                is.insert(name.clone(), value.clone());
            }
        }
    }
    (Value::Object(was), Value::Object(is))
}
