//! Finds loaded prices that do not continue the stored ones: their vendor has adjusted them for a
//! later split, or they were converted although they were as traded.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::split_check::GAP_DAYS_MAX;
use super::{LoadError, LoadRejection, Loader, SeamMove, Table};
use crate::market::{PriceBasis, SplitEvidence};
use crate::store::StoreError;

/// Two bars of a stock, one loaded and one stored, with a split after the first.
struct SeamWithSplit {
    symbol: String,
    before: (NaiveDate, f64),
    after: (NaiveDate, f64),
    ex_date: NaiveDate,
    /// New shares for each old one.
    ratio: f64,
}

/// The bars before and after the staged days of each stock with splits, beside the first and the
/// last staged bar if this load wrote it. A row that this transaction wrote is at most as old.
const SEAMS: &str = "
    WITH split AS (
        SELECT t.* FROM staged t WHERE EXISTS (
            SELECT FROM corporate_actions a
            WHERE a.stock_id = t.stock_id AND a.type = 'split' AND a.ex_date > t.first)
    ), seams AS (
        SELECT t.stock_id, b.date AS before, b.close AS close_before,
               a.date AS after, a.close AS close_after
        FROM split t JOIN prices a ON a.stock_id = t.stock_id AND a.date = t.first
                         AND age(a.xmin) <= age(pg_current_xact_id()::xid)
        CROSS JOIN LATERAL (
            SELECT date, close FROM prices WHERE stock_id = t.stock_id AND date < t.first
            ORDER BY date DESC LIMIT 1) b
        UNION ALL
        SELECT t.stock_id, b.date, b.close, a.date, a.close
        FROM split t JOIN prices b ON b.stock_id = t.stock_id AND b.date = t.last
                         AND age(b.xmin) <= age(pg_current_xact_id()::xid)
        CROSS JOIN LATERAL (
            SELECT date, close FROM prices WHERE stock_id = t.stock_id AND date > t.last
            ORDER BY date LIMIT 1) a
    )
    SELECT s.symbol, m.before, m.close_before, m.after, m.close_after, a.ex_date,
           a.split_to / a.split_from AS ratio
    FROM seams m JOIN stocks s ON s.id = m.stock_id
    JOIN corporate_actions a ON a.stock_id = m.stock_id AND a.type = 'split'
                            AND a.ex_date > m.before
    ORDER BY s.symbol, m.before, a.ex_date";

impl Loader {
    /// Rejects the load if a close moves between stored and loaded bars as a later split would move
    /// it. Runs after the merge. The operator may insist that the prices are raw.
    pub(super) async fn check_seams(&self, basis: Option<PriceBasis>) -> Result<(), LoadError> {
        if self.table != Table::Prices || basis == Some(PriceBasis::Raw) {
            return Ok(());
        }
        let rows = self.client.query(SEAMS, &[]).await?;
        let seams: Vec<_> = rows.iter().map(seam_with_split).collect::<Result<_, _>>()?;
        let mut by_bars: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for seam in seams {
            by_bars.entry((seam.symbol.clone(), seam.before.0)).or_default().push(seam);
        }
        let moves: Vec<_> = by_bars.values().filter_map(|splits| moved(splits)).collect();
        if moves.is_empty() { Ok(()) } else { Err(LoadRejection::DoNotContinue(moves).into()) }
    }
}

/// The move of a close over a seam, if it is that of later splits. `splits` are all of one seam, in
/// the order of their ex-dates. The vendor may not know the last of them.
fn moved(splits: &[SeamWithSplit]) -> Option<SeamMove> {
    let first = splits.first()?;
    let (before, after) = (first.before, first.after);
    // A split between the two bars moves the close itself, and is judged by its own check.
    if (after.0 - before.0).num_days() > GAP_DAYS_MAX || first.ex_date <= after.0 {
        return None;
    }
    let mut ratio = 1.0;
    splits.iter().find_map(|split| {
        ratio *= split.ratio;
        let evidence = SplitEvidence::of(ratio, before.1, after.1);
        matches!(evidence, SplitEvidence::Raw | SplitEvidence::TurnedRound).then(|| SeamMove {
            symbol: split.symbol.clone(),
            before,
            after,
            ex_date: split.ex_date,
            ratio,
        })
    })
}

fn seam_with_split(row: &Row) -> Result<SeamWithSplit, StoreError> {
    Ok(SeamWithSplit {
        symbol: row.try_get("symbol")?,
        before: (row.try_get("before")?, row.try_get("close_before")?),
        after: (row.try_get("after")?, row.try_get("close_after")?),
        ex_date: row.try_get("ex_date")?,
        ratio: row.try_get("ratio")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seam(before: f64, after: f64, splits: &[(u32, f64)]) -> Option<SeamMove> {
        let day = |day| NaiveDate::from_ymd_opt(2020, 8, day).unwrap();
        let split = |(ex_day, ratio): &(u32, f64)| SeamWithSplit {
            symbol: "SEA".to_owned(),
            before: (day(26), before),
            after: (day(27), after),
            ex_date: day(*ex_day),
            ratio: *ratio,
        };
        moved(&splits.iter().map(split).collect::<Vec<_>>())
    }

    #[test]
    fn a_close_that_moves_as_a_later_split_does_not_continue() {
        let later = &[(31, 4.0)];
        assert!(seam(126.52, 500.04, later).is_some(), "adjusted bars before stored ones");
        assert!(seam(506.0, 124.0, later).is_some(), "adjusted bars after stored ones");
        assert!(seam(1990.0, 498.0, later).is_some(), "converted although as traded");
        assert!(seam(506.0, 499.0, later).is_none());
        assert!(seam(506.0, 400.0, later).is_none(), "a bad day");
        assert!(seam(506.0, 126.0, &[(27, 4.0)]).is_none(), "the split itself");
        // The vendor's file is older than the second split.
        assert_eq!(seam(126.0, 500.0, &[(30, 4.0), (31, 7.0)]).unwrap().ratio, 4.0);
        assert_eq!(seam(18.0, 500.0, &[(30, 4.0), (31, 7.0)]).unwrap().ratio, 28.0);
    }
}
