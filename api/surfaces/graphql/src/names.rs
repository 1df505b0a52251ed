//! Names in both spellings: REST and the registry say `external_id`, GraphQL says `externalId`; a
//! choice is `per_object` there and `PER_OBJECT` here.
//!
//! All other code asks this module, and asks it once, while the schema is built: each field, argument
//! and choice keeps both of its names. A name that does not come back as it was is refused, so
//! no two names of the registry can become one here.

use std::collections::HashMap;

/// `productVariant` of `product_variant`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capitalized(part))
}

/// `product_variant` of `productVariant`.
pub fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `ProductVariant` of `product_variant`: a type.
pub fn pascal(name: &str) -> String {
    name.split('_').map(capitalized).collect()
}

/// `PER_OBJECT` of `per_object`: a choice.
pub fn upper(choice: &str) -> String {
    choice.to_ascii_uppercase()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Whether GraphQL can say a name of the registry, and it can be told from what it says which name
/// it was.
pub(crate) fn is_name(name: &str) -> bool {
    is_word(name) && !name.starts_with('_') && snake(&camel(name)) == name
}

/// Whether GraphQL can say a choice of the registry.
pub(crate) fn is_choice(choice: &str) -> bool {
    is_word(choice)
}

/// Two underscores in front are GraphQL's own.
fn is_word(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    let rest = letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    first && rest && !text.starts_with("__")
}

/// The values of a choice in both spellings, to be found by either.
#[derive(Default)]
pub(crate) struct Choices {
    all: Vec<Choice>,
    /// Their places by REST's name.
    ours: HashMap<String, usize>,
    /// Their places by GraphQL's name.
    theirs: HashMap<String, usize>,
}

/// A value of a choice.
pub(crate) struct Choice {
    /// `PER_OBJECT`.
    pub(crate) name: String,
    /// `per_object`; of an order, `-created_at`.
    pub(crate) rest: String,
    pub(crate) about: String,
}

impl Choices {
    /// Of choices with what REST calls each; the names that two of them would share.
    pub(crate) fn new(all: Vec<Choice>) -> (Self, Vec<String>) {
        let mut choices = Self::default();
        let mut shared = Vec::new();
        for (place, one) in all.iter().enumerate() {
            choices.ours.insert(one.rest.clone(), place);
            if choices.theirs.insert(one.name.clone(), place).is_some() {
                shared.push(one.name.clone());
            }
        }
        choices.all = all;
        (choices, shared)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Choice> {
        self.all.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Choice> {
        self.all.iter_mut()
    }

    /// GraphQL's name of what REST calls so.
    pub(crate) fn name(&self, rest: &str) -> Option<&str> {
        self.ours.get(rest).and_then(|place| self.all.get(*place)).map(|one| one.name.as_str())
    }

    /// REST's name of what GraphQL calls so.
    pub(crate) fn rest(&self, name: &str) -> Option<&str> {
        self.theirs.get(name).and_then(|place| self.all.get(*place)).map(|one| one.rest.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_words() {
        for (ours, theirs, kind) in [
            ("api_key", "apiKey", "ApiKey"),
            ("audit_entries", "auditEntries", "AuditEntries"),
            ("rate_limit_per_second", "rateLimitPerSecond", "RateLimitPerSecond"),
            ("sha256", "sha256", "Sha256"),
            ("brand", "brand", "Brand"),
        ] {
            assert_eq!((camel(ours).as_str(), pascal(ours).as_str()), (theirs, kind));
            assert_eq!(snake(theirs), ours);
            assert!(is_name(ours), "{ours}");
        }
    }

    #[test]
    fn a_name_that_cannot_come_back_is_refused() {
        // Each would be taken for another: `line1`, `lineTwo`, `two_words`, …
        for name in ["line_1", "lineTwo", "two__words", "_first", "last_", "", "1st", "a.b", "é"] {
            assert!(!is_name(name), "{name}: {}", camel(name));
        }
    }

    #[test]
    fn choices_are_found_by_either_name() {
        let choice =
            |rest: &str| Choice { name: upper(rest), rest: rest.to_owned(), about: String::new() };
        let (choices, shared) = Choices::new(vec![choice("per_object"), choice("none")]);
        assert!(shared.is_empty());
        assert_eq!(choices.name("per_object"), Some("PER_OBJECT"));
        assert_eq!(choices.rest("PER_OBJECT"), Some("per_object"));
        assert_eq!((choices.name("PER_OBJECT"), choices.rest("per_object")), (None, None));
        let (_, shared) = Choices::new(vec![choice("mxn"), choice("MXN")]);
        assert_eq!(shared, ["MXN"], "two choices of one name");
    }

    #[test]
    fn what_graphql_cannot_say_is_no_choice() {
        assert!(is_choice("gift_card"));
        for text in ["catalog:read", "", "1st", "__Type", "é"] {
            assert!(!is_choice(text), "{text}");
        }
    }
}
