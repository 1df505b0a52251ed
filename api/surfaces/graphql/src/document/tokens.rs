//! A look at a document before the parser's: the parser calls itself for each brace it meets, so
//! that what is nested deep enough would end the program.

use crate::error::Fault;

/// More braces, brackets and parentheses than this in one another are refused.
pub(crate) const NESTING_MAX: usize = 40;

/// No document has more words and signs.
pub(crate) const TOKENS_MAX: usize = 5_000;

/// No document has more `@`.
pub(crate) const DIRECTIVES_MAX: usize = 100;

/// Counts tokens, and how deep they are in one another.
pub(crate) fn check(text: &str) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut depth, mut directives) = (0, 0_usize, 0_usize, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += until(bytes, at, |byte| matches!(byte, b'\r' | b'\n'));
                continue;
            }
            b'{' | b'[' | b'(' => {
                depth += 1;
                1
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'@' => {
                directives += 1;
                1
            }
            b'"' => string(bytes, at),
            byte if is_word(byte) => until(bytes, at, |byte| !is_word(byte)),
            _ => 1,
        };
        (at, tokens) = (at + length, tokens + 1);
        for (limit, count, max) in [
            ("tokens", tokens, TOKENS_MAX),
            ("nesting", depth, NESTING_MAX),
            ("directives", directives, DIRECTIVES_MAX),
        ] {
            if count > max {
                return Err(Fault::too_large(limit, max));
            }
        }
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How many bytes there are until one that ends it.
fn until(bytes: &[u8], at: usize, ends: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
}

/// How long the text is that begins here, its quotes included.
pub(crate) fn string(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let block = rest.starts_with(b"\"\"\"");
    let mut end = if block { 3 } else { 1 };
    while let Some(tail) = rest.get(end..).filter(|tail| !tail.is_empty()) {
        end += match block {
            true if tail.starts_with(b"\\\"\"\"") => 4,
            true if tail.starts_with(b"\"\"\"") => return end + 3,
            false if tail.starts_with(b"\\") => 2,
            // A line's end ends it too; that it may not the parser will say.
            false if tail.starts_with(b"\"") || tail.starts_with(b"\n") => return end + 1,
            _ => 1,
        };
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<String> {
        let fault = check(text).err()?;
        fault.problem.extra.get("limit").and_then(|limit| limit.as_str()).map(str::to_owned)
    }

    #[test]
    fn what_is_in_a_text_or_a_comment_does_not_count() {
        let braces = "{".repeat(100);
        for fine in [
            format!("{{ a(b: \"{braces}\") }}"),
            format!("{{ a(b: \"\\\"{braces}\") }}"),
            format!("{{ a(b: \"\"\"{braces} \\\"\"\" {braces}\"\"\") }}"),
            format!("# {braces}\n{{ a }}"),
        ] {
            assert_eq!(refused(&fine), None, "{fine}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert_eq!(refused(&"{a".repeat(NESTING_MAX + 1)).as_deref(), Some("nesting"));
        assert_eq!(refused(&"[".repeat(60_000)).as_deref(), Some("nesting"));
        assert_eq!(refused(&"a ".repeat(TOKENS_MAX + 1)).as_deref(), Some("tokens"));
        assert_eq!(refused(&"@a ".repeat(DIRECTIVES_MAX + 1)).as_deref(), Some("directives"));
        assert_eq!(refused("\"unended"), None);
    }
}
