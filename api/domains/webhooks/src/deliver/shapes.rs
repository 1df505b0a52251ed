//! Objects in the shape of an endpoint's selection: made for a page of deliveries at once, so that its
//! links cost the same however many there are, and taken one by one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bodega_kernel::{Platform, Problem, Result, problem};
use entity::webhooks::{event, webhook_endpoint};
use serde_json::Value;
use uuid::Uuid;

use crate::selection::Selection;

/// Objects shaped together: an expansion is bounded, however large each is.
const TOGETHER: usize = 64;

/// What is shaped and not yet sent, by event.
#[derive(Default)]
pub(super) struct Shapes(Mutex<HashMap<Uuid, Result<Value>>>);

impl Shapes {
    /// Shapes the objects of these events.
    pub(super) async fn fill(
        &self,
        platform: &Arc<Platform>,
        endpoint: &webhook_endpoint::Model,
        selection: &Selection,
        mut events: Vec<Arc<event::Model>>,
    ) -> Result<()> {
        events.retain(|event| !self.all().contains_key(&event.id));
        for events in events.chunks(TOGETHER) {
            match together(platform, endpoint, selection, events).await {
                Ok(shapes) => {
                    self.all().extend(events.iter().map(|event| event.id).zip(shapes));
                }
                // One of them may be at fault: each tells for itself when its turn comes.
                Err(problem) if is_lasting(&problem) => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// The shape of one; the inner problem is why it has none.
    pub(super) async fn take(
        &self,
        platform: &Arc<Platform>,
        endpoint: &webhook_endpoint::Model,
        selection: &Selection,
        event: &Arc<event::Model>,
    ) -> Result<Result<Value>> {
        let shaped = self.all().remove(&event.id);
        if let Some(shaped) = shaped {
            return Ok(shaped);
        }
        match together(platform, endpoint, selection, std::slice::from_ref(event)).await {
            Ok(shapes) => Ok(shapes.into_iter().next().unwrap_or(Ok(Value::Null))),
            Err(problem) if is_lasting(&problem) => Ok(Err(problem)),
            Err(problem) => Err(problem),
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Uuid, Result<Value>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn together(
    platform: &Arc<Platform>,
    endpoint: &webhook_endpoint::Model,
    selection: &Selection,
    events: &[Arc<event::Model>],
) -> Result<Vec<Result<Value>>> {
    let objects = events.iter().map(|event| event.data.clone()).collect();
    selection.shapes(platform, endpoint, objects).await
}

/// Whether it is the selection's fault, or the object's; not a passing one of the database.
fn is_lasting(problem: &Problem) -> bool {
    let passing = problem.retry_after_s.is_some() || problem.code.status >= 500;
    !passing || problem.code.code == problem::INTERNAL_ERROR.code
}
