//! What the registry's lint tells, and a contract much larger than today's: sixty resources with four
//! hundred operations, over one table.
//!
//! How long the large one takes is printed, not judged:
//! `cargo test --release -p bodega-server --test registry -- --nocapture`

use std::time::Instant;

use bodega_contract::{Access, Declared, Deleted, Registry, Resource};
use bodega_kernel::{Cx, Event, Id, ListQuery, Noun, Page, Problem, Result, Tx, Versions, problem};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const CATALOG: Access = Access { read: "catalog:read", write: "catalog:write" };

fn never<T>() -> Result<T> {
    Err(Problem::new(&problem::INTERNAL_ERROR))
}

async fn list<V: Noun>(_: Cx, _: ListQuery) -> Result<Page<V>> {
    never()
}

async fn get<V: Noun>(_: Cx, _: Id<V>) -> Result<V> {
    never()
}

async fn create<V: Noun, C>(_: Tx, _: C) -> Result<V> {
    never()
}

async fn update<V: Noun, P>(_: Tx, _: Id<V>, _: P) -> Result<V> {
    never()
}

async fn delete<V: Noun>(_: Tx, _: Id<V>) -> Result<Deleted> {
    never()
}

async fn act<V: Noun>(_: Tx, _: Id<V>) -> Result<V> {
    never()
}

/// Nouns with their views, bodies and declarations, all over the table of categories.
macro_rules! nouns {
    ($($noun:ident $create:ident $patch:ident $name:literal $plural:literal $acts:expr;)*) => {
        $(
            /// A kind of goods.
            #[derive(Serialize, ToSchema)]
            struct $noun {
                /// The id.
                id: Id<$noun>,
                /// The one above it.
                parent_id: Option<Id<$noun>>,
                /// What it is called.
                #[schema(max_length = 255)]
                name: String,
                /// Its place among others.
                #[schema(minimum = 0)]
                position: i32,
                /// When it was made.
                created_at: DateTime<Utc>,
            }

            /// A new one.
            #[derive(Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            #[expect(dead_code, reason = "only its schema counts")]
            struct $create {
                /// What it is called.
                #[schema(max_length = 255)]
                name: String,
            }

            /// A change of one.
            #[derive(Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            #[expect(dead_code, reason = "only its schema counts")]
            struct $patch {
                /// What it is called.
                #[schema(max_length = 255)]
                name: Option<String>,
            }

            impl Noun for $noun {
                type Entity = entity::catalog::category::Entity;
                const NAME: &'static str = $name;
                const PLURAL: &'static str = $plural;
                const PREFIX: &'static str = $name;
            }

            impl From<entity::catalog::category::Model> for $noun {
                fn from(row: entity::catalog::category::Model) -> Self {
                    Self {
                        id: Id::from_uuid(row.id),
                        parent_id: row.parent_id.map(Id::from_uuid),
                        name: row.name.into(),
                        position: row.position,
                        created_at: row.created_at,
                    }
                }
            }
        )*

        fn large() -> Vec<Declared> {
            vec![$({
                static CREATED: Event =
                    Event::new(concat!($name, ".created"), "One was created.");
                static UPDATED: Event =
                    Event::new(concat!($name, ".updated"), "One was changed.");
                static DELETED: Event =
                    Event::new(concat!($name, ".deleted"), "One was deleted.");
                let mut declared = Resource::<$noun>::new(CATALOG, "A kind of goods")
                    .list_with(list)
                    .filter(["parent_id", "position"])
                    .sort(["name"])
                    .get_with(get)
                    .belongs_to::<$noun>("parent", "parent_id")
                    .has_pages::<$noun>("children", "parent_id")
                    .create(create::<$noun, $create>)
                    .emits(&CREATED)
                    .update(update::<$noun, $patch>)
                    .emits(&UPDATED)
                    .delete(delete::<$noun>)
                    .emits(&DELETED);
                for act_name in $acts {
                    declared = declared
                        .action(act_name, "Does something to it.", act::<$noun>)
                        .emits(&UPDATED);
                }
                declared.into()
            }),*]
        }
    };
}

nouns! {
    Apple AppleCreate ApplePatch "apple" "apples" ["move", "renew"];
    Apricot ApricotCreate ApricotPatch "apricot" "apricots" ["move", "renew"];
    Avocado AvocadoCreate AvocadoPatch "avocado" "avocados" ["move", "renew"];
    Banana BananaCreate BananaPatch "banana" "bananas" ["move", "renew"];
    Barley BarleyCreate BarleyPatch "barley" "barleys" ["move", "renew"];
    Basil BasilCreate BasilPatch "basil" "basils" ["move", "renew"];
    Bean BeanCreate BeanPatch "bean" "beans" ["move", "renew"];
    Beet BeetCreate BeetPatch "beet" "beets" ["move", "renew"];
    Carrot CarrotCreate CarrotPatch "carrot" "carrots" ["move", "renew"];
    Cashew CashewCreate CashewPatch "cashew" "cashews" ["move", "renew"];
    Celery CeleryCreate CeleryPatch "celery" "celeries" ["move", "renew"];
    Cherry CherryCreate CherryPatch "cherry" "cherries" ["move", "renew"];
    Chestnut ChestnutCreate ChestnutPatch "chestnut" "chestnuts" ["move", "renew"];
    Chive ChiveCreate ChivePatch "chive" "chives" ["move", "renew"];
    Citron CitronCreate CitronPatch "citron" "citrons" ["move", "renew"];
    Clove CloveCreate ClovePatch "clove" "cloves" ["move", "renew"];
    Cocoa CocoaCreate CocoaPatch "cocoa" "cocoas" ["move", "renew"];
    Coconut CoconutCreate CoconutPatch "coconut" "coconuts" ["move", "renew"];
    Coffee CoffeeCreate CoffeePatch "coffee" "coffees" ["move", "renew"];
    Coriander CorianderCreate CorianderPatch "coriander" "corianders" ["move", "renew"];
    Cress CressCreate CressPatch "cress" "cresses" ["move", "renew"];
    Cumin CuminCreate CuminPatch "cumin" "cumins" ["move", "renew"];
    Currant CurrantCreate CurrantPatch "currant" "currants" ["move", "renew"];
    Damson DamsonCreate DamsonPatch "damson" "damsons" ["move", "renew"];
    Dill DillCreate DillPatch "dill" "dills" ["move", "renew"];
    Endive EndiveCreate EndivePatch "endive" "endives" ["move", "renew"];
    Fennel FennelCreate FennelPatch "fennel" "fennels" ["move", "renew"];
    Fig FigCreate FigPatch "fig" "figs" ["move", "renew"];
    Garlic GarlicCreate GarlicPatch "garlic" "garlics" ["move", "renew"];
    Ginger GingerCreate GingerPatch "ginger" "gingers" ["move", "renew"];
    Grape GrapeCreate GrapePatch "grape" "grapes" ["move", "renew"];
    Guava GuavaCreate GuavaPatch "guava" "guavas" ["move", "renew"];
    Hazelnut HazelnutCreate HazelnutPatch "hazelnut" "hazelnuts" ["move", "renew"];
    Kale KaleCreate KalePatch "kale" "kales" ["move", "renew"];
    Kiwi KiwiCreate KiwiPatch "kiwi" "kiwis" ["move", "renew"];
    Leek LeekCreate LeekPatch "leek" "leeks" ["move", "renew"];
    Lemon LemonCreate LemonPatch "lemon" "lemons" ["move", "renew"];
    Lentil LentilCreate LentilPatch "lentil" "lentils" ["move", "renew"];
    Lettuce LettuceCreate LettucePatch "lettuce" "lettuces" ["move", "renew"];
    Lime LimeCreate LimePatch "lime" "limes" ["move", "renew"];
    Mango MangoCreate MangoPatch "mango" "mangos" ["move"];
    Maple MapleCreate MaplePatch "maple" "maples" ["move"];
    Melon MelonCreate MelonPatch "melon" "melons" ["move"];
    Millet MilletCreate MilletPatch "millet" "millets" ["move"];
    Mint MintCreate MintPatch "mint" "mints" ["move"];
    Mustard MustardCreate MustardPatch "mustard" "mustards" ["move"];
    Nutmeg NutmegCreate NutmegPatch "nutmeg" "nutmegs" ["move"];
    Oat OatCreate OatPatch "oat" "oats" ["move"];
    Olive OliveCreate OlivePatch "olive" "olives" ["move"];
    Onion OnionCreate OnionPatch "onion" "onions" ["move"];
    Orange OrangeCreate OrangePatch "orange" "oranges" ["move"];
    Papaya PapayaCreate PapayaPatch "papaya" "papayas" ["move"];
    Parsley ParsleyCreate ParsleyPatch "parsley" "parsleys" ["move"];
    Peach PeachCreate PeachPatch "peach" "peaches" ["move"];
    Pear PearCreate PearPatch "pear" "pears" ["move"];
    Pepper PepperCreate PepperPatch "pepper" "peppers" ["move"];
    Plum PlumCreate PlumPatch "plum" "plums" ["move"];
    Potato PotatoCreate PotatoPatch "potato" "potatos" ["move"];
    Pumpkin PumpkinCreate PumpkinPatch "pumpkin" "pumpkins" ["move"];
    Quince QuinceCreate QuincePatch "quince" "quinces" ["move"];
}

#[test]
fn a_large_contract_builds() {
    let began = Instant::now();
    let registry = Registry::new(large());
    let built = began.elapsed();
    assert_eq!((registry.resources().count(), registry.operations().len()), (60, 400));
    let began = Instant::now();
    assert_eq!(registry.lint(), Vec::<String>::new());
    let linted = began.elapsed();

    let registry: &'static Registry = Box::leak(Box::new(registry));
    let versions = Versions::new("2026-11-20", Vec::new());
    let began = Instant::now();
    let document = bodega_docs::openapi(registry, &versions);
    let described = began.elapsed();
    let operations = document["paths"].as_object().unwrap().values();
    let is_method = |name: &&String| ["get", "post", "patch", "delete"].contains(&name.as_str());
    let described_operations: usize =
        operations.map(|path| path.as_object().unwrap().keys().filter(is_method).count()).sum();
    assert_eq!(described_operations, 400);

    let began = Instant::now();
    let sdl = bodega_graphql::Engine::new(registry).unwrap().sdl();
    let typed = began.elapsed();
    for resource in ["Apple", "Quince"] {
        assert!(sdl.contains(&format!("type {resource} ")), "{resource}");
    }
    println!(
        "registry {built:?}, lint {linted:?}, OpenAPI {described:?} ({} bytes), GraphQL {typed:?} \
         ({} bytes)",
        document.to_string().len(),
        sdl.len()
    );
}

/// What the lint tells of these.
fn told(declared: impl IntoIterator<Item = Declared>) -> Vec<String> {
    Registry::new(declared).lint()
}

fn tells(faults: &[String], fault: &str) {
    assert!(faults.iter().any(|told| told == fault), "{fault}: {faults:?}");
}

/// Another noun with a name, a path or a prefix that somebody has already.
macro_rules! another {
    ($noun:ident $name:literal $plural:literal $prefix:literal) => {
        /// Another kind of goods.
        #[derive(Serialize, ToSchema)]
        struct $noun {
            /// The id.
            id: Id<$noun>,
        }

        impl Noun for $noun {
            type Entity = entity::catalog::category::Entity;
            const NAME: &'static str = $name;
            const PLURAL: &'static str = $plural;
            const PREFIX: &'static str = $prefix;
        }

        impl From<entity::catalog::category::Model> for $noun {
            fn from(row: entity::catalog::category::Model) -> Self {
                Self { id: Id::from_uuid(row.id) }
            }
        }
    };
}

another!(Pome "pome" "pomes" "apple");
another!(Fruit "fruit" "apples" "fruit");

#[test]
fn two_resources_with_one_prefix_are_told() {
    let pome = Resource::<Pome>::new(CATALOG, "Another").get_with(get);
    let faults = told(large().into_iter().chain([pome.into()]));
    assert_eq!(faults, ["pome: ids of another resource begin with apple as well"]);
}

#[test]
fn two_operations_at_one_place_are_told() {
    let fruit = Resource::<Fruit>::new(CATALOG, "Another").get_with(get);
    let faults = told(large().into_iter().chain([fruit.into()]));
    assert_eq!(faults, ["fruit.get: another operation is GET /v1/apples/{id}"]);
}

#[test]
fn an_event_with_two_texts_is_told() {
    static OTHER: Event = Event::new("apple.created", "An apple fell.");
    let fig = Resource::<Pome>::new(CATALOG, "Another").delete(delete).emits(&OTHER);
    let faults = told(large().into_iter().chain([fig.into()]));
    tells(&faults, "apple.created: an event with two texts");
}

#[test]
fn a_change_of_what_is_not_shown_is_told() {
    let fruit = Resource::<Pome>::new(CATALOG, "Another");
    static UPDATED: Event = Event::new("pome.updated", "A pome was changed.");
    let fruit = fruit.update(update::<Pome, ApplePatch>).emits(&UPDATED);
    tells(&told([fruit.into()]), "pome.update: changes name, which Pome does not show");
}
