//! Descriptions come from the registry, which names things as REST does. Here the names in them, those
//! between backticks, become those that the schema has.

use std::collections::{BTreeMap, HashMap};

use super::operations::{IDEMPOTENCY_KEY, IF_MATCH};
use super::{Argument, Enum, Model, named};
use crate::names::Choices;

/// What REST has as headers.
const HEADERS: [(&str, &str); 2] = [("If-Match", IF_MATCH), ("Idempotency-Key", IDEMPOTENCY_KEY)];

impl Model {
    /// Puts the schema's own names into all descriptions.
    pub(super) fn say_own_names(&mut self) {
        let mut names: HashMap<String, String> =
            HEADERS.map(|(ours, own)| (ours.to_owned(), own.to_owned())).into();
        let fields = self.objects.values().flat_map(|object| &object.fields);
        let fields = fields.map(|field| (&field.rest, &field.name));
        let members = self.inputs.values().flat_map(|input| &input.fields);
        let members = members.map(|field| (&field.rest, &field.name));
        for (rest, name) in fields.chain(members).filter(|(rest, name)| rest != name) {
            names.insert(rest.clone(), name.clone());
        }
        let Self { objects, inputs, enums, scalars, .. } = self;
        for object in objects.values_mut() {
            object.about = spelled(&object.about, &names, None);
            for field in &mut object.fields {
                let choices = enums.get(named(&field.kind)).map(|choice| &choice.values);
                field.about = spelled(&field.about, &names, choices);
                field.deprecated = field.deprecated.take().map(|why| spelled(&why, &names, None));
                arguments(&mut field.arguments, &names, enums);
            }
        }
        for input in inputs.values_mut() {
            input.about = spelled(&input.about, &names, None);
            arguments(&mut input.fields, &names, enums);
        }
        for choice in enums.values_mut() {
            choice.about = spelled(&choice.about, &names, Some(&choice.values));
            for value in choice.values.iter_mut() {
                value.about = spelled(&value.about, &names, None);
            }
        }
        for scalar in scalars.values_mut() {
            scalar.about = spelled(&scalar.about, &names, None);
        }
    }
}

fn arguments(
    all: &mut [Argument],
    names: &HashMap<String, String>,
    enums: &BTreeMap<String, Enum>,
) {
    for one in all {
        let choices = enums.get(named(&one.kind)).map(|choice| &choice.values);
        one.about = spelled(&one.about, names, choices);
        one.deprecated = one.deprecated.take().map(|reason| spelled(&reason, names, None));
    }
}

/// A text in which each word between backticks that is a name, or one of these choices, is the
/// schema's.
fn spelled(text: &str, names: &HashMap<String, String>, choices: Option<&Choices>) -> String {
    let own = |word: &str| {
        let choice = choices.and_then(|choices| choices.name(word));
        choice.or_else(|| names.get(word).map(String::as_str)).unwrap_or(word).to_owned()
    };
    let parts = text.split('`').enumerate();
    let parts: Vec<_> = parts
        .map(|(index, part)| if index % 2 == 1 { own(part) } else { part.to_owned() })
        .collect();
    parts.join("`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Choice, upper};

    #[test]
    fn descriptions_have_the_names_of_the_schema() {
        let names = HashMap::from([("parent_id".to_owned(), "parentId".to_owned())]);
        let rest = "per_object".to_owned();
        let choice = Choice { name: upper(&rest), rest, about: String::new() };
        let (choices, _) = Choices::new(vec![choice]);
        let told = |text: &str| spelled(text, &names, Some(&choices));
        assert_eq!(told("What `parent_id` names."), "What `parentId` names.");
        assert_eq!(told("`per_object` keeps order."), "`PER_OBJECT` keeps order.");
        assert_eq!(told("parent_id: `409 limit_reached`"), "parent_id: `409 limit_reached`");
    }
}
