//! Names: of the registry in snake case, of GraphQL's own in camel case.

/// `ProductVariant` of `product_variant`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('_').map(capitalized).collect()
}

/// `productVariant` of `product_variant`.
pub(crate) fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capitalized(part))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Whether GraphQL takes this as a name of ours; two underscores in front are its own.
pub(crate) fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    let rest = letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    first && rest && !text.starts_with("__")
}

/// Whether GraphQL takes this as a value of a choice.
pub(crate) fn is_choice(text: &str) -> bool {
    is_name(text) && !matches!(text, "true" | "false" | "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_words() {
        assert_eq!(pascal("api_key"), "ApiKey");
        assert_eq!(camel("audit_entries"), "auditEntries");
        assert_eq!(camel("brand"), "brand");
    }

    #[test]
    fn what_graphql_cannot_say_is_no_choice() {
        assert!(is_choice("gift_card"));
        for text in ["catalog:read", "", "1st", "true", "__Type", "é"] {
            assert!(!is_choice(text), "{text}");
        }
    }
}
