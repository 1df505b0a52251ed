//! What the characters of a text must be: a regular expression for programs, words for people.

use std::sync::OnceLock;

use regex::Regex;

/// A rule for the characters of a text.
pub struct Pattern {
    /// The regular expression, in the dialect that JSON Schema and Rust share.
    pub regex: &'static str,
    /// What it asks for, in English.
    pub en: &'static str,
    /// What it asks for, in Spanish.
    pub es: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    const fn new(regex: &'static str, en: &'static str, es: &'static str) -> Self {
        Self { regex, en, es, compiled: OnceLock::new() }
    }

    /// Whether a text is as asked.
    pub fn fits(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(self.regex).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// The words for a regular expression of a schema, where it is one of these.
pub fn words_of(regex: &str) -> Option<(&'static str, &'static str)> {
    ALL.iter().find(|pattern| pattern.regex == regex).map(|pattern| (pattern.en, pattern.es))
}

macro_rules! patterns {
    ($($name:ident $regex:literal, $en:literal, $es:literal;)*) => {
        $(pub(crate) static $name: Pattern = Pattern::new($regex, $en, $es);)*

        /// Every pattern, to find the words for it.
        static ALL: &[&Pattern] = &[$(&$name),*];
    };
}

// PostgreSQL cannot keep the character NUL, so no text may have one.
patterns! {
    ANY_TEXT r"^[^\x00]*$",
        "must not have the character U+0000",
        "no debe tener el carácter U+0000";
    NOT_BLANK r"^[^\x00]*[^\s\x00][^\x00]*$",
        "must not be blank",
        "no debe estar en blanco";
    ONE_LINE r"^[^\s\x00]([^\x00\r\n]*[^\s\x00])?$",
        "must be one line that is not blank and has no spaces before or after it",
        "debe ser una sola línea, no en blanco y sin espacios antes ni después";
    SLUG "^[a-z0-9]+(-[a-z0-9]+)*$",
        "must be words of the letters a-z and digits, joined by single hyphens, such as `casa-norte`",
        "debe ser palabras de letras a-z y dígitos, unidas por guiones sencillos, como `casa-norte`";
    WEB_URL "^https?://",
        "must be a web address that begins with `https://` or `http://`",
        "debe ser una dirección web que empiece con `https://` o `http://`";
    EMAIL r"^[^\s@\x00]+@[^\s@\x00]+\.[^\s@\x00]+$",
        "must be an email address, such as `ana@example.com`",
        "debe ser una dirección de correo, como `ana@example.com`";
    PHONE r"^\+[1-9][0-9]{6,14}$",
        "must be a telephone number with its country code and no spaces (E.164), such as `+525512345678`",
        "debe ser un teléfono con su código de país y sin espacios (E.164), como `+525512345678`";
    COUNTRY "^[A-Z]{2}$",
        "must be a country code of two capital letters (ISO 3166-1), such as `MX`",
        "debe ser un código de país de dos letras mayúsculas (ISO 3166-1), como `MX`";
    LANGUAGE "^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        "must be a language tag (BCP 47), such as `es-MX`",
        "debe ser una etiqueta de idioma (BCP 47), como `es-MX`";
    TIME_ZONE "^[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}$",
        "must be the name of a time zone (IANA), such as `America/Mexico_City`",
        "debe ser el nombre de una zona horaria (IANA), como `America/Mexico_City`";
    SHA256 "^[0-9a-f]{64}$",
        "must be a SHA-256 in 64 hexadecimal digits",
        "debe ser un SHA-256 en 64 dígitos hexadecimales";
    DATE_VERSION "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        "must be a date, such as `2026-11-20`",
        "debe ser una fecha, como `2026-11-20`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_has_words() {
        for pattern in ALL {
            assert!(Regex::new(pattern.regex).is_ok(), "{}", pattern.regex);
            assert_eq!(words_of(pattern.regex), Some((pattern.en, pattern.es)));
        }
        assert_eq!(words_of("^x$"), None);
    }
}
