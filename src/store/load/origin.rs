//! Whose adjusted closes a stock has: those of a feed, or those that are computed here. Never some
//! of each.

use super::{LoadError, Loader, Refusal, StagedStock, Table, stock_ids};
use crate::store::StoreError;

/// Where the adjusted closes of a file of prices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The file has them.
    Feed,
    /// They are computed from raw closes and corporate actions.
    Computed,
}

impl Loader {
    /// Settles where the staged prices' adjusted closes come from, and returns the stocks of which
    /// earlier ones may have to be computed anew.
    pub(super) async fn settle(
        &self,
        origin: Origin,
        stocks: &[StagedStock],
        may_replace: bool,
    ) -> Result<Vec<i32>, LoadError> {
        if self.table != Table::Prices {
            return Ok(Vec::new());
        }
        let others: Vec<_> = stocks
            .iter()
            .filter(|of| of.computes_adjusted_close != (origin == Origin::Computed))
            .collect();
        let ids: Vec<_> = others.iter().map(|of| of.id).collect();
        let symbols = |found: Vec<i32>| {
            let named =
                others.iter().filter(|of| found.contains(&of.id)).map(|of| of.symbol.clone());
            Some(named.collect::<Vec<_>>()).filter(|symbols| !symbols.is_empty())
        };
        let stale = match origin {
            Origin::Computed => {
                if !may_replace && let Some(symbols) = symbols(self.with_prices(&ids).await?) {
                    return Err(Refusal::WouldReplace(symbols).into());
                }
                self.adjust_staged(&ids).await?
            }
            Origin::Feed => {
                if let Some(symbols) = symbols(self.with_other_prices(&ids).await?) {
                    return Err(Refusal::WouldMix(symbols).into());
                }
                Vec::new()
            }
        };
        self.set_origin(&ids, origin).await?;
        Ok(stale)
    }

    /// Those of the stocks that have prices.
    async fn with_prices(&self, stocks: &[i32]) -> Result<Vec<i32>, StoreError> {
        let sql = "SELECT stock_id FROM unnest($1::int[]) a (stock_id)
                   WHERE EXISTS (SELECT FROM prices p WHERE p.stock_id = a.stock_id)";
        stock_ids(&self.client.query(sql, &[&stocks]).await?)
    }

    /// Those of the stocks that have prices on other days than the staged ones.
    async fn with_other_prices(&self, stocks: &[i32]) -> Result<Vec<i32>, StoreError> {
        let sql =
            "SELECT DISTINCT p.stock_id FROM prices p WHERE p.stock_id = ANY($1) AND NOT EXISTS (
                       SELECT FROM staging s WHERE s.stock_id = p.stock_id AND s.date = p.date)";
        stock_ids(&self.client.query(sql, &[&stocks]).await?)
    }

    async fn set_origin(&self, stocks: &[i32], origin: Origin) -> Result<u64, StoreError> {
        let sql = "UPDATE stocks SET computes_adjusted_close = $2 WHERE id = ANY($1)";
        Ok(self.client.execute(sql, &[&stocks, &(origin == Origin::Computed)]).await?)
    }
}
