//! Prices that a vendor has adjusted for splits already: found, and converted to as traded.
//! Spin-offs are no splits here.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::report::{LoadError, LoadRejection, MergedStock, SplitMove};
use super::{Loader, Table};
use crate::market::{PriceBasis, SplitEvidence};
use crate::store::StoreError;

/// A split proves something only if there are bars within this many days on both sides.
const GAP_DAYS_MAX: i64 = 10;

/// A split with the closes around it.
struct SplitWithCloses {
    stock_id: i32,
    symbol: String,
    ex_date: NaiveDate,
    /// New shares for each old one.
    ratio: f64,
    /// Whether the split was known before this load.
    is_known: bool,
    before: (NaiveDate, f64),
    after: (NaiveDate, f64),
    /// Whether this load wrote the split or one of the two bars.
    is_changed: bool,
}

/// A split by which prices were divided.
struct SplitToUndo {
    stock_id: i32,
    ex_date: NaiveDate,
    ratio: f64,
}

/// The known splits near the staged prices of their stocks.
fn near_staged_prices() -> String {
    format!(
        "SELECT a.stock_id, a.ex_date, a.split_to / a.split_from AS ratio, true AS is_known,
                false AS is_changed
         FROM staged t JOIN corporate_actions a ON a.stock_id = t.stock_id AND a.type = 'split'
          AND a.ex_date > t.first - {GAP_DAYS_MAX} AND a.ex_date <= t.last + {GAP_DAYS_MAX}"
    )
}

/// The staged splits, before or after their merge.
const STAGED: &str = "SELECT s.stock_id, s.ex_date, s.split_to / s.split_from AS ratio,
            a.stock_id IS NOT NULL AS is_known,
            coalesce(age(a.xmin) <= age(pg_current_xact_id()::xid), true) AS is_changed
     FROM staging s LEFT JOIN corporate_actions a
       ON a.stock_id = s.stock_id AND a.ex_date = s.ex_date AND a.type = s.type
     WHERE s.type = 'split'";

/// The closes around splits. A row that this transaction wrote is at most as old as it. Splits
/// without a bar on both sides are left out: they have no effect yet, or on nothing.
fn with_closes(splits: &str) -> String {
    let close = |condition: &str, order: &str| {
        format!(
            "SELECT date, close, age(xmin) <= age(pg_current_xact_id()::xid) AS is_changed
             FROM prices WHERE stock_id = a.stock_id AND date {condition} a.ex_date
             ORDER BY date {order} LIMIT 1"
        )
    };
    format!(
        "SELECT a.stock_id, s.symbol, a.ex_date, a.ratio, a.is_known,
                before.date AS before, before.close AS close_before,
                after.date AS after, after.close AS close_after,
                a.is_changed OR before.is_changed OR after.is_changed AS is_changed
         FROM ({splits}) a JOIN stocks s ON s.id = a.stock_id
         CROSS JOIN LATERAL ({}) before CROSS JOIN LATERAL ({}) after
         ORDER BY s.symbol, a.ex_date",
        close("<", "DESC"),
        close(">=", "ASC")
    )
}

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
    /// Staged prices are converted for all known splits with a bar on or after their ex-date. If
    /// actions are staged, the stored prices are converted for those splits for which they are
    /// adjusted.
    pub(super) async fn convert_to_raw(
        &self,
        basis: Option<PriceBasis>,
    ) -> Result<Vec<MergedStock>, StoreError> {
        if basis != Some(PriceBasis::SplitAdjusted) {
            return Ok(Vec::new());
        }
        match self.table {
            Table::Stocks => Ok(Vec::new()),
            Table::Prices => self.convert("staging", &self.splits_in_effect().await?).await,
            Table::Actions => {
                let splits = self.splits_with_closes(STAGED).await?;
                self.convert("prices", &prices_are_adjusted_for(splits)).await
            }
        }
    }

    /// The known splits of the staged stocks with a bar on or after their ex-date.
    async fn splits_in_effect(&self) -> Result<Vec<SplitToUndo>, StoreError> {
        let sql = "SELECT a.stock_id, a.ex_date, a.split_to / a.split_from AS ratio
                   FROM staged t JOIN corporate_actions a
                     ON a.stock_id = t.stock_id AND a.type = 'split'
                   WHERE a.ex_date <= greatest(t.last, (
                       SELECT max(date) FROM prices WHERE stock_id = t.stock_id))";
        let split = |row: &Row| {
            Ok(SplitToUndo {
                stock_id: row.try_get("stock_id")?,
                ex_date: row.try_get("ex_date")?,
                ratio: row.try_get("ratio")?,
            })
        };
        self.client.query(sql, &[]).await?.iter().map(split).collect()
    }

    /// Multiplies the prices before each split by its ratio, in `staging` or `prices`.
    async fn convert(
        &self,
        table: &str,
        splits: &[SplitToUndo],
    ) -> Result<Vec<MergedStock>, StoreError> {
        let sql = format!(
            "WITH splits AS (
                 SELECT * FROM unnest($1::int[], $2::date[], $3::float8[]) a
                     (stock_id, ex_date, ratio)
             ), converted AS (
                 UPDATE {table} p SET {AS_TRADED}
                 FROM (SELECT p.stock_id, p.date, exp(sum(ln(s.ratio))) AS ratio
                       FROM {table} p JOIN splits s
                         ON s.stock_id = p.stock_id AND s.ex_date > p.date
                       GROUP BY p.stock_id, p.date) later
                 WHERE later.stock_id = p.stock_id AND later.date = p.date
                 RETURNING p.stock_id, p.date)
             SELECT stock_id, count(*) AS bars, min(date) AS first, max(date) AS last
             FROM converted GROUP BY stock_id"
        );
        let stocks: Vec<_> = splits.iter().map(|split| split.stock_id).collect();
        let days: Vec<_> = splits.iter().map(|split| split.ex_date).collect();
        let ratios: Vec<_> = splits.iter().map(|split| split.ratio).collect();
        let rows = self.client.query(&sql, &[&stocks, &days, &ratios]).await?;
        rows.iter().map(converted).collect()
    }

    /// Multiplies staged dividends by the ratios of later splits, up to today. Returns how many. A
    /// split of the file replaces the stored one of its day.
    pub(super) async fn convert_dividends(&self) -> Result<i64, StoreError> {
        let sql = "
            WITH splits AS (
                SELECT DISTINCT ON (stock_id, ex_date) stock_id, ex_date, ratio
                FROM (SELECT stock_id, ex_date, split_to / split_from AS ratio, 0 AS rank
                      FROM staging WHERE type = 'split'
                      UNION ALL
                      SELECT a.stock_id, a.ex_date, a.split_to / a.split_from, 1
                      FROM corporate_actions a JOIN staged t ON t.stock_id = a.stock_id
                      WHERE a.type = 'split') known
                WHERE ex_date <= current_date
                ORDER BY stock_id, ex_date, rank
            ), later AS (
                SELECT d.ctid AS row, d.dividend * exp(sum(ln(s.ratio))) AS dividend
                FROM staging d JOIN splits s ON s.stock_id = d.stock_id AND s.ex_date > d.ex_date
                WHERE d.dividend IS NOT NULL GROUP BY d.ctid, d.dividend
            )
            UPDATE staging d
            SET dividend = round(later.dividend::numeric,
                                 9 - floor(log(later.dividend))::int)::float8
            FROM later WHERE later.row = d.ctid";
        match self.table {
            Table::Actions => Ok(self.client.execute(sql, &[]).await?.cast_signed()),
            Table::Stocks | Table::Prices => Ok(0),
        }
    }

    /// Rejects the load if prices contradict what `basis` says about them. Only splits and bars
    /// that this load wrote are judged, so that one decision of the operator is enough. Runs after
    /// the merge.
    pub(super) async fn check_splits(&self, basis: Option<PriceBasis>) -> Result<(), LoadError> {
        let splits = match self.table {
            Table::Stocks => return Ok(()),
            Table::Prices => self.splits_with_closes(&near_staged_prices()).await?,
            Table::Actions => self.splits_with_closes(STAGED).await?,
        };
        let contradicting: Vec<_> = between_same_bars(splits)
            .filter(|splits| splits.iter().any(|split| split.is_changed))
            .filter(|splits| evidence(splits).is_some_and(|of| of.contradicts(basis)))
            .map(|splits| SplitMove {
                symbol: splits[0].symbol.clone(),
                ex_date: splits[0].ex_date,
                ratio: ratio(&splits),
                close_before: splits[0].before.1,
                close_after: splits[0].after.1,
            })
            .collect();
        match (contradicting.is_empty(), basis) {
            (true, _) => Ok(()),
            (false, None) => Err(LoadRejection::LooksSplitAdjusted(contradicting).into()),
            (false, Some(_)) => Err(LoadRejection::WouldConvertTwice(contradicting).into()),
        }
    }

    async fn splits_with_closes(&self, splits: &str) -> Result<Vec<SplitWithCloses>, StoreError> {
        let rows = self.client.query(&with_closes(splits), &[]).await?;
        rows.iter().map(split_with_closes).collect()
    }
}

/// The splits that stored prices are still adjusted for, as their closes show. A split that its
/// closes can't prove counts if it is new, because the operator says so.
fn prices_are_adjusted_for(splits: Vec<SplitWithCloses>) -> Vec<SplitToUndo> {
    let is_adjusted = |splits: &Vec<SplitWithCloses>| match evidence(splits) {
        Some(SplitEvidence::Adjusted) => true,
        Some(SplitEvidence::Raw | SplitEvidence::TurnedRound | SplitEvidence::Neither) => false,
        Some(SplitEvidence::TooSmall) | None => splits.iter().all(|split| !split.is_known),
    };
    let undone = between_same_bars(splits).filter(is_adjusted).flatten();
    undone
        .map(|split| {
            let SplitWithCloses { stock_id, ex_date, ratio, .. } = split;
            SplitToUndo { stock_id, ex_date, ratio }
        })
        .collect()
}

/// Groups the splits whose effects the same two closes show together.
fn between_same_bars(splits: Vec<SplitWithCloses>) -> impl Iterator<Item = Vec<SplitWithCloses>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for split in splits {
        let bars = (split.symbol.clone(), split.before.0, split.after.0);
        groups.entry(bars).or_default().push(split);
    }
    groups.into_values()
}

/// What the closes around splits say; `None` if too many days lie between them.
fn evidence(splits: &[SplitWithCloses]) -> Option<SplitEvidence> {
    let SplitWithCloses { before, after, .. } = splits.first()?;
    let gap_days = (after.0 - before.0).num_days();
    (gap_days <= GAP_DAYS_MAX).then(|| SplitEvidence::of(ratio(splits), before.1, after.1))
}

fn ratio(splits: &[SplitWithCloses]) -> f64 {
    splits.iter().map(|split| split.ratio).product()
}

fn split_with_closes(row: &Row) -> Result<SplitWithCloses, StoreError> {
    Ok(SplitWithCloses {
        stock_id: row.try_get("stock_id")?,
        symbol: row.try_get("symbol")?,
        ex_date: row.try_get("ex_date")?,
        ratio: row.try_get("ratio")?,
        is_known: row.try_get("is_known")?,
        before: (row.try_get("before")?, row.try_get("close_before")?),
        after: (row.try_get("after")?, row.try_get("close_after")?),
        is_changed: row.try_get("is_changed")?,
    })
}

fn converted(row: &Row) -> Result<MergedStock, StoreError> {
    Ok(MergedStock {
        stock_id: row.try_get("stock_id")?,
        converted: row.try_get("bars")?,
        days: Some((row.try_get("first")?, row.try_get("last")?)),
        ..MergedStock::default()
    })
}
