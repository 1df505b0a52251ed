//! Embedding what objects link to, as `expand` and GraphQL selections ask for it.
//!
//! One load a link and level, however many objects there are. Many objects may lead to the same one,
//! and each shows it whole with all that is embedded in it: so what the answer will hold is counted
//! against the call's budget before any of it is made.

use std::iter::zip;
use std::sync::Arc;

use bodega_contract::{Leads, Link, read_id};
use bodega_kernel::{Around, Cx, Embedded, Linked, Op, Problem, Result, Shown, Size, problem};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::corridor::{Corridor, authorize};
use crate::query::{self, Expand};

impl Corridor {
    /// Embeds links in objects of a resource, as `expand` does: by the same functions, and only with
    /// the scopes to read what they lead to.
    pub async fn embed_as(
        &self,
        cx: &Cx,
        resource: &str,
        objects: Vec<&mut Value>,
        links: &[Expand],
    ) -> Result<()> {
        self.authorize_links(cx, resource, links)?;
        self.guarded(self.embed(cx, resource, objects, links)).await
    }

    /// The links may be read with the scopes of the context, and their pages as they are asked for.
    pub(crate) fn authorize_links(&self, cx: &Cx, resource: &str, links: &[Expand]) -> Result<()> {
        for node in links {
            if let Some(link) = self.link(resource, &node.link) {
                authorize(&cx.scopes, self.registry().read_scope(link.target).unwrap_or("*"))?;
                if let Some((list, _)) = self.registry().pages(link) {
                    let read = query::pages(self.registry(), list, node.pages.as_ref());
                    read.map_err(|problem| problem.under(link.name))?;
                }
                self.authorize_links(cx, link.target, &node.inner)?;
            }
        }
        Ok(())
    }

    pub(crate) async fn embed<O: Holds>(
        &self,
        cx: &Cx,
        resource: &str,
        mut objects: Vec<&mut O>,
        links: &[Expand],
    ) -> Result<()> {
        self.expand(cx, resource, &mut objects, links).await.map(|_| ())
    }

    /// Says how much was added to each of the objects.
    fn expand<'a, O: Holds>(
        &'a self,
        cx: &'a Cx,
        resource: &'a str,
        objects: &'a mut [&mut O],
        nodes: &'a [Expand],
    ) -> BoxFuture<'a, Result<Vec<Size>>> {
        async move {
            let mut added = vec![Size::default(); objects.len()];
            for node in nodes {
                let link = self
                    .link(resource, &node.link)
                    .ok_or_else(|| Problem::internal(format!("no link {}", node.link)))?;
                let keys: Vec<Option<Uuid>> =
                    objects.iter().map(|object| object.text(link.key).and_then(read_id)).collect();
                cx.wait_turn().await?;
                let mut found = self.load(cx, link, node, &keys).await?;
                let mut inner: Vec<&mut Shown> =
                    found.objects.iter_mut().map(|(object, _)| object).collect();
                let below = self.expand(cx, link.target, &mut inner, &node.inner).await?;
                for ((_, size), below) in zip(&mut found.objects, below) {
                    *size = size.and(below);
                }
                let sizes = count(cx, &found, &keys)?;
                zip(&mut added, sizes).for_each(|(sum, size)| *sum = sum.and(size));
                self.place(objects, link, node, &keys, found)?;
            }
            Ok(added)
        }
        .boxed()
    }

    fn link(&self, resource: &str, name: &str) -> Option<&Link> {
        self.registry().links(resource).iter().find(|link| link.name == name)
    }

    /// What a link leads to from these keys; nothing is asked where there are none.
    async fn load(
        &self,
        cx: &Cx,
        link: &Link,
        node: &Expand,
        keys: &[Option<Uuid>],
    ) -> Result<Linked> {
        let mut ids: Vec<Uuid> = keys.iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Linked::default());
        }
        match &link.leads {
            Leads::One(load) | Leads::Few { load, .. } => load(cx.clone(), ids).await,
            Leads::Pages { load, .. } => {
                let none = || Problem::internal(format!("no list for the link {}", link.name));
                let (list, rule) = self.registry().pages(link).ok_or_else(none)?;
                let query = query::pages(self.registry(), list, node.pages.as_ref())?;
                let by = rule.condition(Op::Eq, Vec::new());
                load(cx.clone(), by, ids, query).await.map_err(|problem| problem.under(link.name))
            }
        }
    }

    /// Puts what was found into the objects: each thing once, however many show it.
    fn place<O: Holds>(
        &self,
        objects: &mut [&mut O],
        link: &Link,
        node: &Expand,
        keys: &[Option<Uuid>],
        found: Linked,
    ) -> Result<()> {
        let Linked { objects: shown, of, around, .. } = found;
        let shown: Vec<Arc<Shown>> =
            shown.into_iter().map(|(object, _)| Arc::new(object)).collect();
        for (object, key) in zip(objects, keys) {
            let places = key.and_then(|key| of.get(&key)).map(Vec::as_slice).unwrap_or_default();
            let mut led = places.iter().filter_map(|place| shown.get(*place).cloned());
            let what = match &link.leads {
                Leads::One(_) => Embedded::One(led.next()),
                Leads::Few { .. } => Embedded::Many(led.collect()),
                Leads::Pages { .. } => {
                    let around = key.and_then(|key| around.get(&key)).cloned().unwrap_or_default();
                    let beside = match &node.pages {
                        Some(_) => page(around),
                        None => self.excerpt(link, object.text(link.key), around),
                    };
                    Embedded::Page(led.collect(), beside)
                }
            };
            object.embed(node.name(), what)?;
        }
        Ok(())
    }

    /// What stands beside the first objects of a page: where the rest is.
    fn excerpt(
        &self,
        link: &Link,
        key: Option<&str>,
        around: Around,
    ) -> Vec<(&'static str, Value)> {
        let next = around.next_cursor.as_ref().zip(self.registry().pages(link));
        let next_url = next.map(|(cursor, (list, by))| {
            format!("{}?{}={}&cursor={cursor}", list.path, by.name, key.unwrap_or_default())
        });
        vec![("has_more", next_url.is_some().into()), ("next_url", next_url.into())]
    }
}

/// What stands beside the objects of a page as the list's own operation shows it.
fn page(around: Around) -> Vec<(&'static str, Value)> {
    let Around { cursors, next_cursor, has_previous, total_count } = around;
    let prev_cursor = cursors.first().filter(|_| has_previous).cloned();
    let mut page = vec![("next_cursor", next_cursor.into()), ("prev_cursor", prev_cursor.into())];
    if let Some(total) = total_count {
        page.push(("total_count", total.into()));
    }
    page.push(("cursors", cursors.into()));
    page
}

/// How much is embedded in each object. Each thing found has been counted once, as it was read; here
/// it is counted for every other place that it will stand in.
fn count(cx: &Cx, found: &Linked, keys: &[Option<Uuid>]) -> Result<Vec<Size>> {
    let mut uses = vec![0_u64; found.objects.len()];
    let mut sizes = Vec::with_capacity(keys.len());
    let mut pages = Size::default();
    for key in keys {
        let mut sum = Size::default();
        for place in places(found, *key) {
            let (Some((_, size)), Some(uses)) = (found.objects.get(*place), uses.get_mut(*place))
            else {
                continue;
            };
            *uses += 1;
            sum = sum.and(*size);
        }
        if let Some(around) = key.and_then(|key| found.around.get(&key)) {
            // What is around a page is made for each place that it will stand in.
            sum = sum.and(around.size());
            pages = pages.and(around.size());
        }
        sizes.push(sum);
    }
    let again =
        zip(&found.objects, uses).map(|((_, size), uses)| size.times(uses.saturating_sub(1)));
    cx.budget.take(again.sum::<Size>().and(pages), &problem::EXPANSION_TOO_LARGE)?;
    Ok(sizes)
}

/// An object that others can be embedded in.
pub(crate) trait Holds: Send {
    /// A member that is a text.
    fn text(&self, name: &str) -> Option<&str>;
    /// Embeds what it leads to.
    fn embed(&mut self, name: &str, what: Embedded) -> Result<()>;
}

impl Holds for Shown {
    fn text(&self, name: &str) -> Option<&str> {
        Self::text(self, name)
    }

    fn embed(&mut self, name: &str, what: Embedded) -> Result<()> {
        Self::embed(self, name, what);
        Ok(())
    }
}

impl Holds for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    fn embed(&mut self, name: &str, what: Embedded) -> Result<()> {
        self[name] = what.tree()?;
        Ok(())
    }
}

fn places(found: &Linked, key: Option<Uuid>) -> &[usize] {
    key.and_then(|key| found.of.get(&key)).map(Vec::as_slice).unwrap_or_default()
}
