//! The origin of a stock's adjusted closes: all come from a feed, or all are computed here.

use super::{LoadError, LoadRejection, Loader, StagedStock, Table, stock_ids};
use crate::market::AdjustedCloseOrigin;
use crate::store::StoreError;

impl Loader {
    /// Stores the origin of the staged prices' adjusted closes, and computes them if it is
    /// [`AdjustedCloseOrigin::Computed`]. Returns the stocks whose earlier adjusted closes may have
    /// changed.
    ///
    /// A stock with computed adjusted closes keeps them if those of the file are the same, as in a
    /// file that this API wrote.
    pub(super) async fn apply_origin(
        &self,
        origin: AdjustedCloseOrigin,
        stocks: &[StagedStock],
        may_replace: bool,
    ) -> Result<Vec<i32>, LoadError> {
        if self.table != Table::Prices {
            return Ok(Vec::new());
        }
        let is_computed = origin == AdjustedCloseOrigin::Computed;
        let mut changing: Vec<_> =
            stocks.iter().filter(|stock| stock.computes_adjusted_close != is_computed).collect();
        let mut ids: Vec<_> = changing.iter().map(|stock| stock.id).collect();
        let mut stale = Vec::new();
        if !is_computed && !ids.is_empty() {
            let equal;
            (equal, stale) = self.with_equal_closes(&ids).await?;
            changing.retain(|stock| !equal.contains(&stock.id));
            ids.retain(|id| !equal.contains(id));
        }
        let symbols = |ids: Vec<i32>| {
            let stocks = changing.iter().filter(|stock| ids.contains(&stock.id));
            let symbols: Vec<_> = stocks.map(|stock| stock.symbol.clone()).collect();
            Some(symbols).filter(|symbols| !symbols.is_empty())
        };
        match origin {
            AdjustedCloseOrigin::Computed => {
                if !may_replace && let Some(symbols) = symbols(self.with_prices(&ids).await?) {
                    return Err(LoadRejection::WouldReplace(symbols).into());
                }
                stale = self.adjust_staged(&ids).await?;
            }
            AdjustedCloseOrigin::Feed => {
                if let Some(symbols) = symbols(self.with_other_prices(&ids).await?) {
                    return Err(LoadRejection::WouldMix(symbols).into());
                }
            }
        }
        self.set_origin(&ids, origin).await?;
        Ok(stale)
    }

    /// Which of these stocks have prices.
    pub(super) async fn with_prices(&self, stocks: &[i32]) -> Result<Vec<i32>, StoreError> {
        let sql = "SELECT stock_id FROM unnest($1::int[]) a (stock_id)
                   WHERE EXISTS (SELECT FROM prices p WHERE p.stock_id = a.stock_id)";
        stock_ids(&self.client.query(sql, &[&stocks]).await?)
    }

    /// Which of these stocks have prices on other days than the staged ones.
    async fn with_other_prices(&self, stocks: &[i32]) -> Result<Vec<i32>, StoreError> {
        let sql =
            "SELECT DISTINCT p.stock_id FROM prices p WHERE p.stock_id = ANY($1) AND NOT EXISTS (
                       SELECT FROM staging s WHERE s.stock_id = p.stock_id AND s.date = p.date)";
        stock_ids(&self.client.query(sql, &[&stocks]).await?)
    }

    async fn set_origin(
        &self,
        stocks: &[i32],
        origin: AdjustedCloseOrigin,
    ) -> Result<u64, StoreError> {
        let sql = "UPDATE stocks SET computes_adjusted_close = $2 WHERE id = ANY($1)";
        Ok(self.client.execute(sql, &[&stocks, &(origin == AdjustedCloseOrigin::Computed)]).await?)
    }
}
