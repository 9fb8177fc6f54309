//! The sample data, embedded in the binary: five real stocks.

use super::steps::Steps;
use crate::cli::console::CliError;
use crate::cli::ingest::{self, LoadOutcome, LoadRequest};
use crate::feed::Source;
use crate::store::{Database, ListPage, StockFilter, Store, Table};

const FILES: [(Table, &str, &[u8]); 3] = [
    (Table::Stocks, "seed/stocks.csv", include_bytes!("../../../seed/stocks.csv")),
    (Table::Prices, "seed/prices.csv.gz", include_bytes!("../../../seed/prices.csv.gz")),
    (
        Table::Actions,
        "seed/corporate_actions.csv",
        include_bytes!("../../../seed/corporate_actions.csv"),
    ),
];

/// Loads the sample if the database has no stock yet.
///
/// # Errors
/// When Postgres fails.
pub async fn load(database: &Database, store: &Store, steps: &Steps) -> Result<(), CliError> {
    let any = StockFilter::default();
    let first = ListPage { limit: 1, offset: 0 };
    if store.now().list_stocks(&any, first, 0).await?.total > 0 {
        return Ok(());
    }
    steps.begin("Loading five stocks with their daily prices");
    for (table, name, bytes) in FILES {
        let source = Source::bytes(name, bytes);
        let outcome = ingest::load(database, &LoadRequest::of(table), source).await?;
        let (report, loader) = match outcome {
            LoadOutcome::Committed(report, _, loader) => (report, loader),
            LoadOutcome::NeedsConfirmation(loss) => return Err(loss.into()),
        };
        loader.vacuum(&report).await;
        steps.note(&format!("  {} rows of {name}", report.added));
    }
    Ok(())
}
