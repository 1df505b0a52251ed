//! The rules for texts, and the types that keep them.

use crate::pattern::{self, Pattern};
use crate::{Checked, Rule};

macro_rules! texts {
    ($(
        $(#[$doc:meta])*
        $name:ident = $rule:ident, $min:literal..=$max:literal, $pattern:ident, $example:literal $(, $format:literal)?;
    )*) => {$(
        $(#[$doc])*
        pub type $name = Checked<$rule>;

        #[doc = concat!("The rule of [`", stringify!($name), "`].")]
        pub struct $rule;

        impl Rule for $rule {
            const MIN: usize = $min;
            const MAX: usize = $max;
            const EXAMPLE: &'static str = $example;
            $(const FORMAT: Option<&'static str> = Some($format);)?

            fn name() -> String {
                stringify!($name).to_owned()
            }

            fn pattern() -> &'static Pattern {
                &pattern::$pattern
            }
        }
    )*};
}

macro_rules! sized_texts {
    ($(
        $(#[$doc:meta])*
        $name:ident = $rule:ident, $min:literal, $pattern:ident, $example:literal;
    )*) => {$(
        $(#[$doc])*
        pub type $name<const N: usize> = Checked<$rule<N>>;

        #[doc = concat!("The rule of [`", stringify!($name), "`].")]
        pub struct $rule<const N: usize>;

        impl<const N: usize> Rule for $rule<N> {
            const MIN: usize = $min;
            const MAX: usize = N;
            const EXAMPLE: &'static str = $example;

            fn name() -> String {
                format!("{}{N}", stringify!($name))
            }

            fn pattern() -> &'static Pattern {
                &pattern::$pattern
            }
        }
    )*};
}

sized_texts! {
    /// What something is called: up to `N` characters, not blank.
    Label = LabelRule, 1, NOT_BLANK, "Casa Norte";
    /// One line of up to `N` characters, without spaces before or after it.
    Line = LineRule, 1, ONE_LINE, "A-1042";
    /// Free text of up to `N` characters, also of several lines; it may be empty.
    Text = TextRule, 0, ANY_TEXT, "Made to last, in Monterrey.";
}

/// What something is called: up to 200 characters, not blank.
pub type Name = Label<200>;

texts! {
    /// A name in URLs: `casa-norte`.
    Slug = SlugRule, 1..=200, SLUG, "casa-norte";
    /// The address of a web page, `https` or `http`.
    WebUrl = WebUrlRule, 1..=2048, WEB_URL, "https://casanorte.example", "uri";
    /// An email address.
    Email = EmailRule, 3..=254, EMAIL, "ana@example.com", "email";
    /// A telephone number with its country code (E.164).
    Phone = PhoneRule, 8..=16, PHONE, "+525512345678";
    /// The caller's own id for an object: unique per organization and type of object.
    ExternalId = ExternalIdRule, 1..=200, ANY_TEXT, "erp-10025";
    /// A country (ISO 3166-1 alpha-2).
    CountryCode = CountryRule, 2..=2, COUNTRY, "MX";
    /// A language (BCP 47).
    LanguageTag = LanguageRule, 2..=35, LANGUAGE, "es-MX";
    /// A time zone (IANA).
    TimeZone = TimeZoneRule, 1..=64, TIME_ZONE, "America/Mexico_City";
    /// A SHA-256, in hexadecimal digits.
    Sha256 = Sha256Rule, 64..=64, SHA256, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    /// A version of the API, which is a date.
    DateVersion = DateVersionRule, 10..=10, DATE_VERSION, "2026-11-20";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wrong;

    fn ok<R: Rule>(text: &str) -> bool {
        text.parse::<Checked<R>>().is_ok()
    }

    #[test]
    fn a_text_keeps_its_rule() {
        assert!(ok::<LabelRule<4>>("ñañá") && !ok::<LabelRule<4>>("ñañás"));
        assert_eq!(" \t".parse::<Name>().unwrap_err(), Wrong::Pattern("must not be blank"));
        assert_eq!("".parse::<Name>().unwrap_err(), Wrong::TooShort(1));
        assert_eq!("éé".parse::<Email>().unwrap_err(), Wrong::TooShort(3));
        assert!(ok::<TextRule<3>>("") && ok::<TextRule<3>>("a\nb") && !ok::<TextRule<3>>("a\0b"));
        assert!(ok::<LineRule<9>>("a b") && !ok::<LineRule<9>>(" a") && !ok::<LineRule<9>>("a\nb"));
        assert!(ok::<SlugRule>("casa-norte") && !ok::<SlugRule>("Casa") && !ok::<SlugRule>("a--b"));
        assert!(ok::<WebUrlRule>("http://x.example") && !ok::<WebUrlRule>("ftp://x.example"));
        assert!(ok::<PhoneRule>("+525512345678") && !ok::<PhoneRule>("5512345678"));
    }

    #[test]
    fn every_example_keeps_its_rule() {
        fn shown<R: Rule>() {
            assert!(ok::<R>(R::EXAMPLE), "{}", R::name());
        }
        shown::<LabelRule<200>>();
        shown::<LineRule<20>>();
        shown::<TextRule<100>>();
        shown::<SlugRule>();
        shown::<WebUrlRule>();
        shown::<EmailRule>();
        shown::<PhoneRule>();
        shown::<ExternalIdRule>();
        shown::<CountryRule>();
        shown::<LanguageRule>();
        shown::<TimeZoneRule>();
        shown::<Sha256Rule>();
        shown::<DateVersionRule>();
    }

    #[test]
    fn a_made_text_is_cut_between_characters() {
        assert_eq!(Label::<3>::made("ñandú").as_str(), "ñan");
        assert_eq!(Label::<9>::made("ñandú").as_str(), "ñandú");
    }
}
