//! Finds corrections that would replace stored closes as traded by adjusted ones.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::{AdjustedCorrection, LoadError, LoadRejection, Loader, MergedStock, Table};
use crate::market::PriceBasis;
use crate::store::StoreError;

/// The slack of a move on a logarithmic scale, for closes that a vendor rounds.
const MOVE_SLACK: f64 = 0.002;
/// What rounding to cents can move a close by.
const CENTS_SLACK: f64 = 0.006;
/// The most of a split's own move that the slack may be.
const SLACK_FRACTION_MAX: f64 = 0.25;

/// Of more changed bars of a stock, a sample is compared.
const BARS_COMPARED_MAX: i64 = 500;
const EVERY_NTH_DAY_MAX: i32 = 64;

/// The changed closes of a stock before the same split. Their moves are the new closes divided by
/// the old ones.
#[derive(Debug, Clone, PartialEq)]
struct CorrectedCloses {
    symbol: String,
    bars: i64,
    /// The first and the last day.
    days: (NaiveDate, NaiveDate),
    /// The quartiles of the moves: at least half of the closes move by a value between them.
    moves: (f64, f64),
    /// The median of the new closes.
    close: f64,
    /// The closes that became the stored adjusted ones.
    adjusted_bars: i64,
    /// New shares for each old one of each later split, in the order of their ex-dates.
    splits: Vec<f64>,
    /// The same with spin-offs, which some vendors take for splits.
    splits_and_spin_offs: Vec<f64>,
}

/// A close has become the stored adjusted one if it is 50 times nearer to it than before.
///
/// The merge keeps the old bars under the id of this load's change, with the adjusted closes that
/// were served.
const CORRECTED_CLOSES: &str = "
    WITH changed AS (
        SELECT c.stock_id, c.every
        FROM unnest($1::int[], $2::date[], $3::int[]) c (stock_id, first, every)
        -- Without a later action, nothing is adjusted.
        WHERE EXISTS (SELECT FROM corporate_actions a
                      WHERE a.stock_id = c.stock_id AND a.ex_date > c.first)
    ), ends AS (
        SELECT DISTINCT a.stock_id, a.ex_date, changed.every
        FROM corporate_actions a JOIN changed USING (stock_id)
        WHERE a.type IN ('split', 'spin_off')
        UNION ALL SELECT stock_id, 'infinity', every FROM changed
    ), periods AS (
        SELECT stock_id, every, ex_date AS next_split,
               lag(ex_date, 1, '-infinity') OVER (PARTITION BY stock_id ORDER BY ex_date) AS since
        FROM ends
    )
    SELECT s.symbol, of_period.*,
           ARRAY(SELECT a.split_to / a.split_from FROM corporate_actions a
                 WHERE a.stock_id = p.stock_id AND a.ex_date >= p.next_split AND a.type = 'split'
                 ORDER BY a.ex_date) AS splits,
           ARRAY(SELECT a.split_to / a.split_from FROM corporate_actions a
                 WHERE a.stock_id = p.stock_id AND a.ex_date >= p.next_split
                   AND a.type IN ('split', 'spin_off')
                 ORDER BY a.ex_date) AS splits_and_spin_offs
    FROM periods p JOIN stocks s ON s.id = p.stock_id CROSS JOIN LATERAL (
        SELECT count(*) AS bars, min(h.date) AS first, max(h.date) AS last,
               percentile_disc(0.25) WITHIN GROUP (ORDER BY n.close / h.close) AS move_low,
               percentile_disc(0.75) WITHIN GROUP (ORDER BY n.close / h.close) AS move_high,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY n.close) AS close,
               count(*) FILTER (
                   WHERE abs(n.close - h.adjusted_close) * 50
                         <= abs(h.close - h.adjusted_close)) AS adjusted_bars
        FROM prices_history h
        JOIN prices n ON n.stock_id = p.stock_id AND n.date = h.date AND n.close <> h.close
        WHERE h.stock_id = p.stock_id AND h.date >= p.since AND h.date < p.next_split
          AND (h.date - date '2000-01-01') % p.every = 0
          AND h.until = nullif(current_setting('tickerd.change', true), '')::int4
    ) of_period
    WHERE of_period.bars > 0
    ORDER BY s.symbol, of_period.first";

impl Loader {
    /// Rejects the load if it moves stored closes to what they are when adjusted for later splits,
    /// or for all actions. Runs after the merge. The operator may insist that the prices are raw.
    pub(super) async fn check_corrections(
        &self,
        merged: &[MergedStock],
        basis: Option<PriceBasis>,
    ) -> Result<(), LoadError> {
        if self.table != Table::Prices || basis == Some(PriceBasis::Raw) {
            return Ok(());
        }
        let changed = merged.iter().filter(|stock| stock.changed > 0);
        let (mut stocks, mut first, mut every) = (Vec::new(), Vec::new(), Vec::new());
        for stock in changed {
            stocks.push(stock.stock_id);
            first.push(stock.days.map(|(first, _)| first));
            every.push(every_nth_day(stock.changed));
        }
        if stocks.is_empty() {
            return Ok(());
        }
        let rows = self.client.query(CORRECTED_CLOSES, &[&stocks, &first, &every]).await?;
        let corrected = rows.iter().map(corrected_closes).collect::<Result<Vec<_>, _>>()?;
        match corrected.into_iter().filter_map(adjusted).collect::<Vec<_>>() {
            adjusted if adjusted.is_empty() => Ok(()),
            adjusted => Err(LoadRejection::WouldReplaceByAdjusted(adjusted).into()),
        }
    }
}

/// Of a long history, a sample of days tells the moves as well: each nth day, with a power of 2, so
/// that no weekday is left out.
fn every_nth_day(changed_bars: i64) -> i32 {
    let mut every = 1;
    while every < EVERY_NTH_DAY_MAX && changed_bars / i64::from(every) > BARS_COMPARED_MAX {
        every *= 2;
    }
    every
}

/// The correction, if most of its closes become adjusted ones. The vendor may not know the last
/// splits.
fn adjusted(closes: CorrectedCloses) -> Option<AdjustedCorrection> {
    let (low, high) = closes.moves;
    let moves_by = |ratio: f64| {
        let expected = -ratio.ln();
        let slack =
            (MOVE_SLACK + CENTS_SLACK / closes.close).min(SLACK_FRACTION_MAX * expected.abs());
        [low, high].iter().all(|moved| (moved.ln() - expected).abs() < slack)
    };
    let ratios = [&closes.splits, &closes.splits_and_spin_offs].into_iter().find_map(|splits| {
        let products = splits.iter().scan(1.0, |product, ratio| {
            *product *= ratio;
            Some(*product)
        });
        products.into_iter().find(|product| moves_by(*product))
    });
    let becomes_adjusted = closes.adjusted_bars * 2 > closes.bars;
    let CorrectedCloses { symbol, days, .. } = closes;
    (ratios.is_some() || becomes_adjusted).then_some(AdjustedCorrection {
        symbol,
        days,
        ratio: ratios,
    })
}

fn corrected_closes(row: &Row) -> Result<CorrectedCloses, StoreError> {
    Ok(CorrectedCloses {
        symbol: row.try_get("symbol")?,
        bars: row.try_get("bars")?,
        days: (row.try_get("first")?, row.try_get("last")?),
        moves: (row.try_get("move_low")?, row.try_get("move_high")?),
        close: row.try_get("close")?,
        adjusted_bars: row.try_get("adjusted_bars")?,
        splits: row.try_get("splits")?,
        splits_and_spin_offs: row.try_get("splits_and_spin_offs")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(moves: (f64, f64), close: f64, splits: &[f64]) -> Option<f64> {
        let day = NaiveDate::from_ymd_opt(2024, 1, 2).unwrap();
        let closes = CorrectedCloses {
            symbol: "FIX".to_owned(),
            bars: 6,
            days: (day, day),
            moves,
            close,
            adjusted_bars: 0,
            splits: splits.to_vec(),
            splits_and_spin_offs: splits.to_vec(),
        };
        adjusted(closes).and_then(|correction| correction.ratio)
    }

    #[test]
    fn a_long_history_is_sampled_on_all_weekdays() {
        for (bars, every) in
            [(1, 1), (500, 1), (501, 2), (1001, 2), (1002, 4), (5000, 16), (i64::MAX, 64)]
        {
            assert_eq!(every_nth_day(bars), every, "{bars}");
        }
    }

    #[test]
    fn closes_that_move_by_the_ratio_of_later_splits_are_adjusted() {
        assert_eq!(ratio((0.05, 0.05), 50.0, &[20.0]), Some(20.0));
        assert_eq!(ratio((0.8, 0.8), 80.0, &[1.25]), Some(1.25));
        assert_eq!(ratio((10.0, 10.0), 12.0, &[0.1]), Some(0.1), "a reverse split");
        assert_eq!(ratio((0.0499, 0.0501), 50.0, &[20.0]), Some(20.0), "rounded to cents");
        assert_eq!(ratio((0.25, 0.25), 50.0, &[4.0, 10.0]), Some(4.0), "an older file");
        assert_eq!(ratio((0.025, 0.025), 50.0, &[4.0, 10.0]), Some(40.0));
    }

    #[test]
    fn other_corrections_are_taken() {
        for (moves, splits) in [
            ((0.05, 0.05), &[][..]),
            ((0.05, 0.05), &[4.0]),
            ((20.0, 20.0), &[20.0]), // a repair of adjusted closes
            ((0.05, 0.99), &[20.0]), // most move otherwise
            ((0.98, 0.99), &[1.25]),
            ((1.0, 1.001), &[1.01]),
        ] {
            assert_eq!(ratio(moves, 50.0, splits), None, "{moves:?} {splits:?}");
        }
    }
}
