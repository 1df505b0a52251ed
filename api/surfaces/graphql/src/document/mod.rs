//! A document, read with care: what it would grow to is counted before anything walks it.

mod bounds;
mod escapes;
mod tokens;

use async_graphql::Positioned;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};
use async_graphql::parser::{self, Error};
use bodega_kernel::{Problem, problem};

use crate::error::Fault;

/// A document within its bounds.
pub(crate) struct Document {
    pub(crate) ast: ExecutableDocument,
}

impl Document {
    /// Reads a document.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        tokens::check(text)?;
        let ast = parser::parse_query(escapes::plain(text)).map_err(|error| syntax(&error))?;
        bounds::check(&ast)?;
        Ok(Self { ast })
    }

    /// The operation of this name; the only one, where no name is given.
    pub(crate) fn operation(
        &self,
        name: Option<&str>,
    ) -> Result<&Positioned<OperationDefinition>, Fault> {
        let mut all = self.ast.operations.iter();
        let found = match name {
            Some(name) => all.find(|(own, _)| own.is_some_and(|own| own.as_str() == name)),
            None => all.next().filter(|_| all.next().is_none()),
        };
        let message = match name {
            Some(name) => format!("There is no operation named \"{name}\" in the document."),
            None => "`operationName` must name one of the document's operations.".to_owned(),
        };
        found.map(|(_, operation)| operation).ok_or_else(|| Fault::invalid(message, []))
    }
}

fn syntax(error: &Error) -> Fault {
    Fault {
        message: Some(error.to_string()),
        locations: error.positions().collect(),
        ..Problem::new(&problem::QUERY_SYNTAX).into()
    }
}
