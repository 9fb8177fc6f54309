//! Prices that a vendor has adjusted for splits already: found, and converted to as traded.

use tokio_postgres::Row;

use super::report::{LoadError, LoadRejection, MergedStock, UnmovedSplit};
use super::{Loader, Table};
use crate::market::{PriceBasis, looks_split_adjusted};
use crate::store::StoreError;

/// A split proves something only if there are bars within this many days on both sides.
macro_rules! gap_days_max {
    () => {
        "10"
    };
}

/// The splits to check: those near staged prices, or the staged ones.
const SPLITS_NEAR_PRICES: &str = concat!(
    "SELECT a.stock_id, a.ex_date, a.split_to / a.split_from AS ratio, t.first, t.last
     FROM staged t JOIN corporate_actions a ON a.stock_id = t.stock_id AND a.kind = 'split'
      AND a.ex_date > t.first - ",
    gap_days_max!(),
    " AND a.ex_date <= t.last + ",
    gap_days_max!()
);
const STAGED_SPLITS: &str =
    "SELECT stock_id, ex_date, split_to / split_from AS ratio, NULL::date AS first,
            NULL::date AS last
     FROM staging WHERE kind = 'split'";

/// Sets a row `p` of prices to as traded, for the product `ratio` of later splits. Converted prices
/// have 10 significant digits, as adjusted ones.
macro_rules! as_traded {
    ($column:literal) => {
        concat!(
            $column,
            " = round((p.",
            $column,
            " * ratio)::numeric, 9 - floor(log(p.",
            $column,
            " * ratio))::int)::float8"
        )
    };
}
const AS_TRADED: &str = concat!(
    as_traded!("open"),
    ", ",
    as_traded!("high"),
    ", ",
    as_traded!("low"),
    ", ",
    as_traded!("close"),
    ", volume = round(p.volume / ratio)::bigint"
);

impl Loader {
    /// Converts split-adjusted prices to as traded, before the merge. Returns the number of bars of
    /// each stock.
    ///
    /// Staged prices are divided by the known splits up to today. If splits are staged, the stored
    /// prices are divided by those of them that are new.
    pub(super) async fn convert_to_raw(
        &self,
        basis: Option<PriceBasis>,
    ) -> Result<Vec<MergedStock>, StoreError> {
        if basis != Some(PriceBasis::SplitAdjusted) {
            return Ok(Vec::new());
        }
        let (splits, prices) = match self.table {
            Table::Stocks => return Ok(Vec::new()),
            Table::Prices => (
                "SELECT stock_id, ex_date, split_to / split_from AS ratio FROM corporate_actions
                 WHERE stock_id IN (SELECT stock_id FROM staged) AND kind = 'split'
                   AND ex_date <= current_date",
                "staging",
            ),
            Table::Actions => (
                "SELECT stock_id, ex_date, split_to / split_from AS ratio FROM staging s
                 WHERE kind = 'split' AND NOT EXISTS (
                     SELECT FROM corporate_actions a WHERE a.stock_id = s.stock_id
                     AND a.ex_date = s.ex_date AND a.kind = s.kind)",
                "prices",
            ),
        };
        let sql = format!(
            "WITH splits AS ({splits}), converted AS (
                 UPDATE {prices} p SET {AS_TRADED}
                 FROM (SELECT p.stock_id, p.date, exp(sum(ln(s.ratio))) AS ratio
                       FROM {prices} p JOIN splits s
                         ON s.stock_id = p.stock_id AND s.ex_date > p.date
                       GROUP BY p.stock_id, p.date) later
                 WHERE later.stock_id = p.stock_id AND later.date = p.date
                 RETURNING p.stock_id, p.date)
             SELECT stock_id, count(*) AS bars, min(date) AS first, max(date) AS last
             FROM converted GROUP BY stock_id"
        );
        self.client.query(&sql, &[]).await?.iter().map(converted).collect()
    }

    /// Rejects the load if prices look adjusted for a split already, unless `basis` says that they
    /// are raw. Runs after the merge, so it sees stored and loaded rows.
    pub(super) async fn check_splits(&self, basis: Option<PriceBasis>) -> Result<(), LoadError> {
        let splits = match self.table {
            Table::Stocks => return Ok(()),
            _ if basis == Some(PriceBasis::Raw) => return Ok(()),
            Table::Prices => SPLITS_NEAR_PRICES,
            Table::Actions => STAGED_SPLITS,
        };
        let sql = format!(
            "SELECT s.symbol, max(a.ex_date) AS ex_date, exp(sum(ln(a.ratio))) AS ratio,
                    before.close AS close_before, after.close AS close_after
             FROM ({splits}) a JOIN stocks s ON s.id = a.stock_id
             CROSS JOIN LATERAL (
                 SELECT date, close FROM prices
                 WHERE stock_id = a.stock_id AND date < a.ex_date ORDER BY date DESC LIMIT 1
             ) before
             CROSS JOIN LATERAL (
                 SELECT date, close FROM prices
                 WHERE stock_id = a.stock_id AND date >= a.ex_date ORDER BY date LIMIT 1
             ) after
             WHERE after.date - before.date <= {gap}
               AND (a.first IS NULL OR before.date BETWEEN a.first AND a.last
                    OR after.date BETWEEN a.first AND a.last)
             GROUP BY s.symbol, before.date, before.close, after.date, after.close
             ORDER BY s.symbol, 2",
            gap = gap_days_max!()
        );
        let rows = self.client.query(&sql, &[]).await?;
        let splits = rows.iter().map(unmoved_split).collect::<Result<Vec<_>, _>>()?;
        let looks_adjusted = |split: &UnmovedSplit| {
            looks_split_adjusted(split.ratio, split.close_before, split.close_after)
        };
        let unmoved: Vec<_> = splits.into_iter().filter(looks_adjusted).collect();
        if unmoved.is_empty() {
            Ok(())
        } else {
            Err(LoadRejection::LooksSplitAdjusted(unmoved).into())
        }
    }
}

fn unmoved_split(row: &Row) -> Result<UnmovedSplit, StoreError> {
    Ok(UnmovedSplit {
        symbol: row.try_get("symbol")?,
        ex_date: row.try_get("ex_date")?,
        ratio: row.try_get("ratio")?,
        close_before: row.try_get("close_before")?,
        close_after: row.try_get("close_after")?,
    })
}

fn converted(row: &Row) -> Result<MergedStock, StoreError> {
    Ok(MergedStock {
        stock_id: row.try_get("stock_id")?,
        added: 0,
        changed: 0,
        readjusted: 0,
        converted: row.try_get("bars")?,
        days: Some((row.try_get("first")?, row.try_get("last")?)),
    })
}
