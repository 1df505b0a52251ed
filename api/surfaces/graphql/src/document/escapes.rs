//! Characters beyond the first 65,536 in texts, `\ud83d\ude00` and `\u{1F600}`: GraphQL has both, the
//! parser neither. They are written out before it reads the document.

use std::borrow::Cow;

use super::tokens;

/// The longest number in braces that can be a character, with some zeros before it.
const DIGITS_MAX: usize = 8;

/// The document with these characters written out. Each text keeps its length by blanks behind it, so
/// that places in the document are still where its author sees them. What is no character is left for
/// the parser to refuse.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '#']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = match from.starts_with('#') {
            true => from.find(['\r', '\n']).unwrap_or(from.len()),
            false => tokens::string(from.as_bytes(), 0),
        };
        // A text that is cut off inside a character ends with the document.
        let (token, after) = from.split_at_checked(length).unwrap_or((from, ""));
        match token.starts_with('"') && !token.starts_with("\"\"\"") {
            true => written_out(token, &mut out),
            false => out.push_str(token),
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn written_out(token: &str, out: &mut String) {
    let (mut rest, mut saved) = (token, 0);
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        match escape(from) {
            Some((sign, length)) => {
                let begun = out.len();
                match u32::from(sign) {
                    // As the parser reads it: it may be a quote, or end a line.
                    code @ ..=0xFFFF => out.push_str(&format!("\\u{code:04X}")),
                    _ => out.push(sign),
                }
                let written = out.get(begun..).map_or(0, |written| written.chars().count());
                saved += length.saturating_sub(written);
                rest = from.get(length..).unwrap_or_default();
            }
            None => {
                // The backslash and what it stands before.
                let length = from.chars().take(2).map(char::len_utf8).sum();
                let (kept, after) = from.split_at_checked(length).unwrap_or((from, ""));
                out.push_str(kept);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.extend(std::iter::repeat_n(' ', saved));
}

/// A character that begins here as the parser does not know it, and the length of what stands for it.
fn escape(from: &str) -> Option<(char, usize)> {
    let rest = from.strip_prefix("\\u")?;
    if let Some(rest) = rest.strip_prefix('{') {
        let (digits, _) = rest.split_once('}')?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex || digits.is_empty() || digits.len() > DIGITS_MAX {
            return None;
        }
        let sign = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
        return Some((sign, "\\u{}".len() + digits.len()));
    }
    let (high, low) = (unit(rest)?, unit(rest.get(4..)?.strip_prefix("\\u")?)?);
    if !(0xD800..0xDC00).contains(&high) {
        return None;
    }
    let sign = char::decode_utf16([high, low]).next()?.ok()?;
    Some((sign, "\\ud83d\\ude00".len()))
}

/// Four digits.
fn unit(text: &str) -> Option<u16> {
    let digits = text.get(..4).filter(|four| four.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn characters_are_written_out_and_nothing_moves() {
        for (text, expected) in [
            (r#"{a(b:"\ud83d\ude00"c:1)}"#, r#"{a(b:"😀"           c:1)}"#),
            (r#"{a(b:"\u{1F600}!")}"#, r#"{a(b:"😀!"        )}"#),
            (r#"{a(b:"\u{22}")}"#, r#"{a(b:"\u0022")}"#),
            (r#"{a(b:"\u{000041}")}"#, r#"{a(b:"\u0041"    )}"#),
            (r#"{a(b:"\\ud83d\\ude00")}"#, r#"{a(b:"\\ud83d\\ude00")}"#),
            (r#"{a(b:"""\ud83d\ude00""")}"#, r#"{a(b:"""\ud83d\ude00""")}"#),
            ("# \"\\ud83d\\ude00\n{a(b:\"\\u0041\")}", "# \"\\ud83d\\ude00\n{a(b:\"\\u0041\")}"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
            assert!(parse_query(plain(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_character_is_refused_by_the_parser() {
        for text in [
            r#"{a(b:"\ud83d")}"#,
            r#"{a(b:"\ude00\ud83d")}"#,
            r#"{a(b:"\ud83d\u0041")}"#,
            r#"{a(b:"\ud83dx")}"#,
            r#"{a(b:"\u{d83d}")}"#,
            r#"{a(b:"\u{110000}")}"#,
            r#"{a(b:"\u{}")}"#,
            r#"{a(b:"\u{1F600")}"#,
            r#"{a(b:"\u{FFFFFFFFFFFFFFFF}")}"#,
            r#"{a(b:"\uD8"#,
            r#"{a(b:"\"#,
            "{a(b:\"\\é\\u0041",
        ] {
            assert!(parse_query(plain(text)).is_err(), "{text}");
        }
    }
}
