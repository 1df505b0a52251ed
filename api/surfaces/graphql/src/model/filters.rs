//! Filters as input objects: the operators of the query string.

use async_graphql::dynamic::TypeRef;
use bodega_contract::{FilterKind, FilterRule};

use super::types::{DATE_TIME, INT64, Types};
use super::{Argument, Input};

impl Types<'_> {
    /// The input that filters by these rules, where there are any.
    pub(super) fn filter(
        &mut self,
        name: &str,
        view: &str,
        rules: &[FilterRule],
    ) -> Option<TypeRef> {
        if rules.is_empty() {
            return None;
        }
        let fields: Vec<_> = rules
            .iter()
            .map(|rule| {
                let kind = self.operators(view, rule);
                Argument::of(rule.name, TypeRef::named(kind), format!("By `{}`.", rule.name))
            })
            .collect();
        let about = "All that is given must hold.".to_owned();
        self.model.inputs.insert(name.to_owned(), Input { about, fields, is_pair: false });
        Some(TypeRef::named(name))
    }

    /// The input with the operators that a field takes.
    fn operators(&mut self, view: &str, rule: &FilterRule) -> String {
        let (short, value) = match &rule.kind {
            FilterKind::Text => ("Text".to_owned(), TypeRef::STRING.to_owned()),
            FilterKind::Id(_) => ("Id".to_owned(), TypeRef::ID.to_owned()),
            FilterKind::Time => ("Time".to_owned(), DATE_TIME.to_owned()),
            FilterKind::Int => ("Number".to_owned(), INT64.to_owned()),
            FilterKind::Bool => ("Boolean".to_owned(), TypeRef::BOOLEAN.to_owned()),
            FilterKind::Choice(_) => {
                let known = self.field(view, rule.name).map(|kind| kind.type_name().to_owned());
                let known = known.filter(|name| self.model.enums.contains_key(name));
                let value = known.unwrap_or_else(|| TypeRef::STRING.to_owned());
                let short =
                    if value == TypeRef::STRING { "Choice".to_owned() } else { value.clone() };
                (short, value)
            }
        };
        let nullable = if rule.nullable { "Nullable" } else { "" };
        let name = format!("{nullable}{short}Filter");
        let operators = operator_names(rule);
        let fields = operators.map(|(operator, about)| {
            let kind = match operator {
                "in" => TypeRef::named_nn_list(&value),
                "is_null" => TypeRef::named(TypeRef::BOOLEAN),
                _ => TypeRef::named(&value),
            };
            Argument::of(operator, kind, about)
        });
        let fields = fields.collect();
        let about = "How to compare; all that is given must hold.".to_owned();
        self.model.inputs.insert(name.clone(), Input { about, fields, is_pair: false });
        name
    }
}

/// The operators of a rule, and what they mean.
fn operator_names(rule: &FilterRule) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    let all = std::iter::once("eq").chain(rule.operators().map(|(name, _)| name));
    all.map(|name| {
        let about = match name {
            "eq" => "Equals.",
            "ne" => "Differs.",
            "gt" => "Above.",
            "gte" => "From.",
            "lt" => "Below.",
            "lte" => "Up to.",
            "in" => "One of up to 100.",
            "contains" => "Has in it, whatever the case.",
            "starts_with" => "Starts with, whatever the case.",
            "is_null" => "Is empty, or is not.",
            _ => "",
        };
        (name, about)
    })
}
