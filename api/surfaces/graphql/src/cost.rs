//! What an operation may amount to, known before it runs: from the page sizes it asks for.

use bodega_contract::Registry;
use bodega_corridor::Call;
use serde_json::Value;

use crate::error::Fault;
use crate::model::{INPUT, Source};
use crate::plan::{Picked, Plan, is_list};

/// No request asks for more objects than this, as far as can be told beforehand.
pub(crate) const OBJECTS_MAX: u64 = 20_000;

/// A page is this long where neither `first` nor `last` says.
const PAGE: u64 = 20;

/// How many objects a link to several is taken to bring.
const SEVERAL: u64 = 5;

/// What an operation amounts to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// How many objects it may bring, as far as can be told.
    objects: u64,
    /// What its calls take from the limits; what their objects take is known once they are there.
    pub(crate) units: u32,
}

impl Cost {
    /// The cost of a plan; a fault, where it is more than any request may cost.
    pub(crate) fn of(registry: &Registry, plan: &Plan<'_>) -> Result<Self, Fault> {
        let mut cost = Self::default();
        for root in &plan.roots {
            for part in &root.parts {
                let operation = part.picked.operation.and_then(|at| registry.operations().get(at));
                let units = operation.map_or(1, |operation| operation.cost);
                let rows = u64::try_from(part.places.len()).unwrap_or(u64::MAX);
                cost.units = cost.units.saturating_add(units);
                cost.add(&part.picked, rows);
            }
            let operation = root.operation.and_then(|at| registry.operations().get(at));
            let Some(operation) = operation else {
                let free = root.field().is_none() && !root.is_introspection();
                cost.units = cost.units.saturating_add(u32::from(!free && root.parts.is_empty()));
                continue;
            };
            let mut call = Call::of(operation);
            call.body = root.arguments.get(INPUT).cloned();
            cost.units = cost.units.saturating_add(call.cost());
            let page =
                ["first", "last"].iter().find_map(|name| root.arguments.get(*name)?.as_u64());
            let rows = if operation.list.is_some() { page.unwrap_or(PAGE) } else { 1 };
            cost.add(root, rows);
        }
        if cost.objects > OBJECTS_MAX {
            return Err(Fault::too_large("objects", OBJECTS_MAX as usize));
        }
        cost.units = cost.units.max(1);
        Ok(cost)
    }

    /// So many objects, and what their links may bring.
    fn add(&mut self, picked: &Picked<'_>, rows: u64) {
        let all = rows.saturating_add(linked(picked, rows));
        self.objects = self.objects.saturating_add(all);
    }
}

/// How many objects the links under a field may bring, for so many objects.
fn linked(picked: &Picked<'_>, rows: u64) -> u64 {
    let each = picked.fields.iter().filter_map(|inner| Some((inner, inner.field()?)));
    each.fold(0, |sum, (inner, field)| {
        let own = match field.source {
            Source::Link if is_list(&field.kind) => rows.saturating_mul(SEVERAL),
            Source::Link => rows,
            Source::Pages => {
                let first = inner.arguments.get("first").and_then(Value::as_u64);
                rows.saturating_mul(first.unwrap_or(PAGE))
            }
            _ => return sum.saturating_add(linked(inner, rows)),
        };
        sum.saturating_add(own).saturating_add(linked(inner, own))
    })
}
