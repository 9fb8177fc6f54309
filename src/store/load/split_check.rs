//! Finds prices that a vendor has adjusted for splits already. Spin-offs are no splits here.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::convert::SplitToUndo;
use super::{LoadError, LoadRejection, Loader, SplitMove, Table};
use crate::market::{PriceBasis, SplitEvidence};
use crate::store::StoreError;

/// A split proves something only if there are bars within this many days on both sides.
pub(super) const GAP_DAYS_MAX: i64 = 10;
/// A large split proves something up to this gap: no exchange halts a stock longer as a rule, and
/// files that leave out a month or two are found.
const DISTANT_GAP_DAYS_MAX: i64 = 62;

/// A split with the closes around it.
struct SplitWithCloses {
    stock_id: i32,
    symbol: String,
    ex_date: NaiveDate,
    /// Old shares that became new ones.
    from: f64,
    to: f64,
    /// Whether the split was known before this load.
    is_known: bool,
    before: (NaiveDate, f64),
    after: (NaiveDate, f64),
    /// Whether this load wrote the split or one of the two bars.
    is_changed: bool,
}

/// The known splits near the staged prices of their stocks.
fn near_staged_prices() -> String {
    format!(
        "SELECT a.stock_id, a.ex_date, a.split_from, a.split_to, true AS is_known,
                false AS is_changed, t.first, t.last
         FROM staged t JOIN corporate_actions a ON a.stock_id = t.stock_id AND a.type = 'split'
          AND a.ex_date > t.first - {DISTANT_GAP_DAYS_MAX}
          AND a.ex_date <= t.last + {DISTANT_GAP_DAYS_MAX}"
    )
}

/// The staged splits, before or after their merge.
const STAGED: &str = "SELECT s.stock_id, s.ex_date, s.split_from, s.split_to,
            a.stock_id IS NOT NULL AS is_known,
            coalesce(age(a.xmin) <= age(pg_current_xact_id()::xid), true) AS is_changed,
            date '-infinity' AS first, date 'infinity' AS last
     FROM staging s LEFT JOIN corporate_actions a
       ON a.stock_id = s.stock_id AND a.ex_date = s.ex_date AND a.type = s.type
     WHERE s.type = 'split'";

/// The closes around splits. A row that this transaction wrote is at most as old as it. A bar out
/// of the staged days is none of the load, although its adjusted close may be computed anew. Splits
/// without a bar on both sides are left out: they have no effect yet, or on nothing.
fn with_closes(splits: &str) -> String {
    let close = |condition: &str, order: &str| {
        format!(
            "SELECT date, close, date BETWEEN a.first AND a.last
                    AND age(xmin) <= age(pg_current_xact_id()::xid) AS is_changed
             FROM prices WHERE stock_id = a.stock_id AND date {condition} a.ex_date
             ORDER BY date {order} LIMIT 1"
        )
    };
    format!(
        "SELECT a.stock_id, s.symbol, a.ex_date, a.split_from, a.split_to, a.is_known,
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

impl Loader {
    /// The splits of the file for which the stored prices are still adjusted.
    pub(super) async fn splits_in_stored_prices(&self) -> Result<Vec<SplitToUndo>, StoreError> {
        Ok(prices_are_adjusted_for(self.splits_with_closes(STAGED).await?))
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
            let SplitWithCloses { stock_id, ex_date, from, to, .. } = split;
            SplitToUndo { stock_id, ex_date, from, to }
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
    let ratio = ratio(splits);
    let gap_days = (after.0 - before.0).num_days();
    if gap_days <= GAP_DAYS_MAX {
        Some(SplitEvidence::of(ratio, before.1, after.1))
    } else if gap_days <= DISTANT_GAP_DAYS_MAX {
        SplitEvidence::of_distant(ratio, before.1, after.1)
    } else {
        None
    }
}

/// New shares for each old one.
fn ratio(splits: &[SplitWithCloses]) -> f64 {
    splits.iter().map(|split| split.to / split.from).product()
}

fn split_with_closes(row: &Row) -> Result<SplitWithCloses, StoreError> {
    Ok(SplitWithCloses {
        stock_id: row.try_get("stock_id")?,
        symbol: row.try_get("symbol")?,
        ex_date: row.try_get("ex_date")?,
        from: row.try_get("split_from")?,
        to: row.try_get("split_to")?,
        is_known: row.try_get("is_known")?,
        before: (row.try_get("before")?, row.try_get("close_before")?),
        after: (row.try_get("after")?, row.try_get("close_after")?),
        is_changed: row.try_get("is_changed")?,
    })
}
