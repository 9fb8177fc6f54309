//! What a load assumes of a file because it can't know better. The report says so.

use super::{Loader, Table};
use crate::market::PriceBasis;
use crate::store::StoreError;

impl Loader {
    /// The number of spin-offs by which split-adjusted prices of the file may be divided, and which
    /// the load does not undo: vendors differ.
    pub(super) async fn kept_spin_offs(
        &self,
        basis: Option<PriceBasis>,
    ) -> Result<i64, StoreError> {
        if self.table != Table::Prices || basis != Some(PriceBasis::SplitAdjusted) {
            return Ok(0);
        }
        let sql = "SELECT count(*) AS spin_offs FROM staged t JOIN corporate_actions a
                   ON a.stock_id = t.stock_id AND a.type = 'spin_off' AND a.ex_date > t.first";
        Ok(self.client.query_one(sql, &[]).await?.try_get("spin_offs")?)
    }
}
