//! What a large load leaves to be tidied up.

use super::{LoadReport, Loader, within};
use crate::store::StoreError;

/// From how many rows on the table is vacuumed at once: only then are its index-only reads fast
/// again.
const VACUUM_FROM_ROWS: i64 = 10_000;
/// From which part of the table on its statistics are taken anew, as autovacuum would: they are a
/// sample of up to 30,000 pages, which takes many times as long as the vacuum after a day.
const ANALYZE_FROM_PART: f64 = 0.1;

impl Loader {
    /// After a large load: makes index-only reads fast again. Reads are right without it, and
    /// autovacuum would come by. The stocks as well, of which each touched one has left a dead row,
    /// and the actions, which are looked through in an index alone.
    pub async fn vacuum(self, report: &LoadReport) {
        let rows = report.written();
        if rows < VACUUM_FROM_ROWS {
            return;
        }
        for vacuum in [self.vacuum_prices(rows).await, self.vacuum_stocks_and_actions().await] {
            if let Err(error) = vacuum {
                tracing::warn!(cause = %error, "a table could not be vacuumed");
            }
        }
    }

    async fn vacuum_prices(&self, rows: i64) -> Result<(), StoreError> {
        let known = "SELECT reltuples FROM pg_class WHERE oid = 'prices'::regclass";
        let row = within(self.timeout, self.client.query_one(known, &[])).await?;
        let rows_known: f32 = row.try_get("reltuples")?;
        let is_large = rows as f64 >= ANALYZE_FROM_PART * f64::from(rows_known);
        let sql = if is_large { "VACUUM (ANALYZE) prices" } else { "VACUUM prices" };
        within(self.timeout, self.client.batch_execute(sql)).await
    }

    async fn vacuum_stocks_and_actions(&self) -> Result<(), StoreError> {
        within(self.timeout, self.client.batch_execute("VACUUM stocks, corporate_actions")).await
    }
}
