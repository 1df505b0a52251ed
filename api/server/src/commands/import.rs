//! `bodega import`: products from a file, 500 a transaction, without doubling what is there.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use bodega_catalog::import::{self as catalog, ROWS_MAX};
use bodega_kernel::Tx;
use flate2::read::GzDecoder;

use crate::commands::{corridor, organization, said};
use crate::config::Config;

/// Loads a file; says how many rows were new, were there already, or are not right.
pub(crate) async fn import(config: &Config, path: &Path, owner: &str) -> Result<(), String> {
    let owner = organization(owner)?;
    let file =
        File::open(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let reader: Box<dyn Read> = match path.extension().is_some_and(|end| end == "gz") {
        true => Box::new(GzDecoder::new(BufReader::new(file))),
        false => Box::new(BufReader::new(file)),
    };
    let corridor = corridor(config).await?;
    let mut rows = catalog::read(reader).map_err(|error| error.to_string())?;
    let (mut created, mut skipped, mut wrong) = (0, 0, 0);
    loop {
        let mut chunk = Vec::with_capacity(ROWS_MAX);
        for row in rows.by_ref().take(ROWS_MAX) {
            match row {
                Ok(row) => chunk.push(row),
                Err(error) => {
                    wrong += 1;
                    eprintln!("{error}");
                }
            }
        }
        if chunk.is_empty() {
            break;
        }
        let done = Tx::act(corridor.platform(), owner.uuid(), "catalog.import", async |tx| {
            catalog::import(tx, &chunk).await
        })
        .await
        .map_err(|problem| said(&problem))?;
        created += done.products;
        skipped += done.skipped;
        wrong += done.rejected.len();
        done.rejected.iter().for_each(|error| eprintln!("{error}"));
    }
    println!("{created} new, {skipped} there already, {wrong} not right");
    Ok(())
}
