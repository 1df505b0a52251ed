//! The pages about problems: for people in HTML, for programs in JSON.

use bodega_kernel::{Code, Language, problem};
use serde_json::{Value, json};

/// What the pages say around the table's own words.
struct Words {
    problems: &'static str,
    about: &'static str,
    status: &'static str,
    to_do: &'static str,
    example: &'static str,
    reference: &'static str,
    nowhere: &'static str,
}

const ENGLISH: Words = Words {
    problems: "Problems",
    about: "Every failure of the API is one of these (RFC 9457, `application/problem+json`). \
            Decide on `code`: what a code means never changes.",
    status: "HTTP status",
    to_do: "What to do",
    example: "As an answer shows it",
    reference: "API reference",
    nowhere: "There is no such problem.",
};

const SPANISH: Words = Words {
    problems: "Problemas",
    about: "Todo fallo de la API es uno de éstos (RFC 9457, `application/problem+json`). Decida \
            según `code`: lo que un código significa nunca cambia.",
    status: "Estado HTTP",
    to_do: "Qué hacer",
    example: "Así lo muestra una respuesta",
    reference: "Referencia de la API",
    nowhere: "No existe ese problema.",
};

fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Spanish => &SPANISH,
    }
}

fn known(code: &str) -> Option<&'static Code> {
    problem::ALL.iter().copied().find(|known| known.code == code)
}

/// The page about a problem; none if there is no such code.
pub fn problem_page(code: &str, language: Language) -> Option<String> {
    let code = known(code)?;
    let words = words(language);
    let example = serde_json::to_string_pretty(&shown(code, language)).unwrap_or_default();
    let body = format!(
        "<p><a href=\"/problems\">{problems}</a></p>\n<h1>{title}</h1>\n\
         <p class=\"facts\"><code>{code}</code> <span>{said} {status}</span></p>\n\
         <p>{about}</p>\n<h2>{to_do}</h2>\n<p>{remedy}</p>\n<h2>{shown}</h2>\n<pre><code>{example}</code></pre>\n",
        problems = words.problems,
        title = prose(code.title.get(language)),
        code = escaped(code.code),
        said = words.status,
        status = code.status,
        about = prose(code.about.get(language)),
        to_do = words.to_do,
        remedy = prose(problem::remedy(code, language)),
        shown = words.example,
        example = escaped(&example),
    );
    Some(page(code.title.get(language), &body, language))
}

/// The page that lists all problems.
pub fn problem_index(language: Language) -> String {
    let words = words(language);
    let mut rows = String::new();
    for code in problem::ALL {
        rows.push_str(&format!(
            "<tr><td>{status}</td><td><a href=\"/problems/{code}\"><code>{code}</code></a></td>\
             <td>{title}</td></tr>\n",
            status = code.status,
            code = escaped(code.code),
            title = prose(code.title.get(language)),
        ));
    }
    let body = format!(
        "<h1>{title}</h1>\n<p>{about}</p>\n<table>\n{rows}</table>\n",
        title = words.problems,
        about = prose(words.about),
    );
    page(words.problems, &body, language)
}

/// The page for a code that is not in the table.
pub(crate) fn no_page(language: Language) -> String {
    let words = words(language);
    let body = format!(
        "<h1>{said}</h1>\n<p><a href=\"/problems\">{problems}</a></p>\n",
        said = words.nowhere,
        problems = words.problems,
    );
    page(words.nowhere, &body, language)
}

/// A problem for programs.
pub(crate) fn problem_json(code: &str, language: Language) -> Option<Value> {
    known(code).map(|code| entry(code, language))
}

/// All problems for programs.
pub(crate) fn index_json(language: Language) -> Value {
    json!({ "data": problem::ALL.iter().map(|code| entry(code, language)).collect::<Vec<_>>() })
}

/// An answer with this problem.
fn shown(code: &'static Code, language: Language) -> Value {
    let (problem, instance) = problem::example(code, &["2026-11-20"]);
    problem.to_json(language, instance, "req_01k78agk00e008000000000001")
}

fn entry(code: &'static Code, language: Language) -> Value {
    json!({
        "type": format!("/problems/{}", code.code),
        "code": code.code,
        "status": code.status,
        "title": code.title.get(language),
        "about": code.about.get(language),
        "remedy": problem::remedy(code, language),
        "example": shown(code, language),
    })
}

fn page(title: &str, body: &str, language: Language) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} · Bodega</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/docs/assets/problems.css\">\n</head>\n<body>\n<main>\n\
         {body}<p><a href=\"/docs\">{reference}</a></p>\n</main>\n</body>\n</html>\n",
        tag = language.tag(),
        title = escaped(title),
        reference = words(language).reference,
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

/// Text in which `` `this` `` is code.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        match index % 2 {
            0 => out.push_str(&escaped(part)),
            _ => out.push_str(&format!("<code>{}</code>", escaped(part))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_a_page_in_both_languages() {
        for language in [Language::English, Language::Spanish] {
            let index = problem_index(language);
            for code in problem::ALL {
                let page = problem_page(code.code, language).unwrap();
                assert!(page.contains(&prose(code.title.get(language))));
                assert!(page.contains(&prose(code.about.get(language))));
                assert!(page.contains(&prose(problem::remedy(code, language))));
                assert!(page.contains(&escaped(&format!("\"code\": \"{}\"", code.code))));
                assert!(page.contains(&format!("lang=\"{}\"", language.tag())));
                assert!(index.contains(&format!("/problems/{}\"", code.code)));
                // The content security policy allows neither.
                assert!(!page.contains("style=") && !page.contains("<script"));
            }
        }
        assert!(problem_page("nothing", Language::English).is_none());
    }

    #[test]
    fn markup_in_a_text_stays_text() {
        assert_eq!(prose("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
    }
}
