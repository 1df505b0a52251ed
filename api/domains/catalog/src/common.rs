//! What the catalog's resources share: slugs, and rows reached from their parent.

use bodega_kernel::values::Slug;
use bodega_kernel::{FieldError, Id, Noun, Problem, Result, Row, Tx, problem, text};
use entity::{Owned, Stored};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

/// A derived slug is cut here: longer ones help nobody in a URL.
const SLUG_WORDS_BYTES_MAX: usize = 80;

/// How much of the id a derived slug ends with: 40 random bits, so that two objects of the same
/// name do not meet.
const SLUG_SUFFIX_BYTES: usize = 8;

/// The slug that was given, or one made of the name.
pub(crate) fn slug<V: Noun>(given: Option<Slug>, name: &str, id: Id<V>) -> Slug {
    given.unwrap_or_else(|| {
        let id = id.to_string();
        let suffix = id.get(id.len().saturating_sub(SLUG_SUFFIX_BYTES)..).unwrap_or_default();
        match slugify(name) {
            words if words.is_empty() => Slug::made(suffix),
            words => Slug::made(format!("{words}-{suffix}")),
        }
    })
}

/// `Café del Ñandú, 1 kg` as `cafe-del-nandu-1-kg`; empty where nothing of the name fits a slug.
fn slugify(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for character in name.chars().flat_map(char::to_lowercase) {
        let mut one = [0; 4];
        let plain = match character {
            'a'..='z' | '0'..='9' => &*character.encode_utf8(&mut one),
            // An apostrophe or a combining accent is inside a word, not between two.
            '\'' | '’' | '\u{300}'..='\u{36f}' => continue,
            other => plain_letter(other),
        };
        let gap = plain.is_empty() && !slug.is_empty() && !slug.ends_with('-');
        slug.push_str(if gap { "-" } else { plain });
        if slug.len() >= SLUG_WORDS_BYTES_MAX {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// The letters of western Europe without their accents; nothing for any other character.
fn plain_letter(character: char) -> &'static str {
    match character {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' | 'ā' | 'ª' => "a",
        'æ' => "ae",
        'ç' | 'č' | 'ć' => "c",
        'ð' | 'đ' => "d",
        'é' | 'è' | 'ê' | 'ë' | 'ē' | 'ę' => "e",
        'í' | 'ì' | 'î' | 'ï' | 'ī' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' | 'ø' | 'ō' | 'º' => "o",
        'œ' => "oe",
        'š' | 'ś' => "s",
        'ß' => "ss",
        'ú' | 'ù' | 'û' | 'ü' | 'ū' => "u",
        'ý' | 'ÿ' => "y",
        'ž' | 'ź' | 'ż' => "z",
        _ => "",
    }
}

/// The locked row of an object that the body points at: [`Tx::load`], saying where the id stood.
pub(crate) async fn parent<V: Noun>(tx: &Tx, id: Id<V>, pointer: &str) -> Result<Row<V>>
where
    Row<V>: Stored,
{
    tx.load(id).await.map_err(|problem| {
        if problem.code.code != problem::NOT_FOUND.code {
            return problem;
        }
        let detail = problem.detail.clone().unwrap_or_else(|| problem.code.about.clone());
        problem.at(FieldError::body(pointer, "not_found", detail))
    })
}

/// The rows under these parents, oldest first, locked until the end.
pub(crate) async fn children<V: Noun>(
    tx: &Tx,
    column: <V::Entity as EntityTrait>::Column,
    parents: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<Row<V>>> {
    let mut query =
        V::Entity::of(tx.organization).filter(column.is_in(parents)).order_by_asc(V::Entity::ID);
    if tx.db().get_database_backend() == DbBackend::Postgres {
        query = query.lock_exclusive();
    }
    Ok(query.all(tx.db()).await?)
}

/// Refuses one more row under a parent that has `max`. The parent is locked, so the count holds.
pub(crate) async fn room<V: Noun>(
    tx: &Tx,
    column: <V::Entity as EntityTrait>::Column,
    parent: Uuid,
    max: u64,
) -> Result<()> {
    let query = V::Entity::of(tx.organization).filter(column.eq(parent));
    if query.count(tx.db()).await? < max {
        return Ok(());
    }
    let (noun, plural) = (V::NAME, V::PLURAL);
    Err(Problem::new(&problem::LIMIT_REACHED).with("limit", max).detail(text(
        format!("There are already {max} {plural}, as many as there may be."),
        format!("Ya hay {max} objetos ({noun}), tantos como puede haber."),
    )))
}

#[cfg(test)]
mod tests {
    use bodega_kernel::Id;
    use uuid::Uuid;

    use super::*;
    use crate::Brand;

    #[test]
    fn a_slug_is_made_of_the_name() {
        for (name, slug) in [
            ("Café del Ñandú, 1 kg", "cafe-del-nandu-1-kg"),
            ("  --Aceite 5W-30  ", "aceite-5w-30"),
            ("Children's", "childrens"),
            ("Cafe\u{301}", "cafe"),
            ("Straße & Œuvre", "strasse-oeuvre"),
            ("日本", ""),
            ("", ""),
        ] {
            assert_eq!(slugify(name), slug, "{name:?}");
        }
        let long = slugify(&"ab ".repeat(200));
        assert!(long.len() <= SLUG_WORDS_BYTES_MAX + 1 && !long.ends_with('-'), "{long}");
    }

    #[test]
    fn a_derived_slug_ends_with_the_id_and_a_given_one_stays() {
        let id: Id<Brand> = Id::from_uuid(Uuid::from_u128(1));
        assert_eq!(slug(None, "Casa Norte", id).as_str(), "casa-norte-00000001");
        assert_eq!(slug(None, "日本", id).as_str(), "00000001");
        assert_eq!(slug("norte".parse().ok(), "Casa Norte", id).as_str(), "norte");
    }
}
