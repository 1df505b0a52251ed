//! `bodega contract`: every operation there is, and the artifacts made of them.

use std::path::Path;

use crate::app;

/// Lists the operations, or writes the artifacts; says what is wrong with the declarations.
pub(crate) fn contract(write: Option<&Path>) -> Result<(), String> {
    let registry: &'static _ = Box::leak(Box::new(app::registry()));
    let (versions, graphql) = (app::versions(), bodega_graphql::Engine::new(registry)?);
    match write {
        None => {
            for operation in registry.operations() {
                let (method, path) = (operation.method.as_str(), &operation.path);
                println!("{:<28} {method:<6} {path:<44} {}", operation.id, operation.scope);
            }
        }
        Some(folder) => {
            let mut artifacts = bodega_docs::artifacts(registry, &versions);
            artifacts.push(("schema.graphql".to_owned(), graphql.sdl()));
            for (name, content) in artifacts {
                let path = folder.join(name);
                let parent = path.parent().unwrap_or(folder);
                std::fs::create_dir_all(parent)
                    .and_then(|()| std::fs::write(&path, content))
                    .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                println!("wrote {}", path.display());
            }
        }
    }
    let faults = registry.lint();
    faults.iter().for_each(|fault| eprintln!("fault: {fault}"));
    if faults.is_empty() { Ok(()) } else { Err(format!("{} faults", faults.len())) }
}
