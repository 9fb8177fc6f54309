//! Converts numbers that a vendor has divided by later splits to as traded.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::rounding::{EXACT_TEXTS, exact_price, places, rounded_price, rounded_quotient};
use super::{Loader, MergedStock, Table};
use crate::market::{PriceBasis, Ratio};
use crate::store::StoreError;

/// A split by which numbers before its ex-date were divided.
pub(super) struct SplitToUndo {
    pub stock_id: i32,
    pub ex_date: NaiveDate,
    pub from: f64,
    pub to: f64,
}

/// What numbers of a stock from one day to before another one are multiplied by.
#[derive(Default)]
struct Multipliers {
    stocks: Vec<i32>,
    /// `None` for the beginning.
    first: Vec<Option<NaiveDate>>,
    before: Vec<NaiveDate>,
    doubles: Vec<f64>,
    numerators: Vec<String>,
    denominators: Vec<String>,
}

/// The multipliers as a table.
const MULTIPLIERS: &str = "multipliers AS MATERIALIZED (
    SELECT stock_id, coalesce(first, '-infinity') AS first, before, double,
           numerator::numeric, denominator::numeric
    FROM unnest($1::int[], $2::date[], $3::date[], $4::float8[], $5::text[], $6::text[])
        a (stock_id, first, before, double, numerator, denominator))";

impl Multipliers {
    /// Numbers are multiplied by all later splits. A product of 1 changes nothing.
    fn of(splits: Vec<SplitToUndo>) -> Self {
        let mut of_stocks: BTreeMap<i32, Vec<SplitToUndo>> = BTreeMap::new();
        for split in splits {
            of_stocks.entry(split.stock_id).or_default().push(split);
        }
        let mut multipliers = Self::default();
        for (stock_id, mut splits) in of_stocks {
            splits.sort_by_key(|split| std::cmp::Reverse(split.ex_date));
            let mut ratio = Ratio::one();
            for (at, split) in splits.iter().enumerate() {
                ratio = ratio.times(&Ratio::of(split.to, split.from));
                let first = splits.get(at + 1).map(|earlier| earlier.ex_date);
                multipliers.add(stock_id, first, split.ex_date, &ratio);
            }
        }
        multipliers
    }

    fn add(&mut self, stock_id: i32, first: Option<NaiveDate>, before: NaiveDate, ratio: &Ratio) {
        if ratio.is_one() {
            return;
        }
        let (numerator, denominator) = ratio.parts();
        self.stocks.push(stock_id);
        self.first.push(first);
        self.before.push(before);
        self.doubles.push(ratio.approximate());
        self.numerators.push(numerator);
        self.denominators.push(denominator);
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 6] {
        let Self { stocks, first, before, doubles, numerators, denominators } = self;
        [stocks, first, before, doubles, numerators, denominators]
    }
}

/// A price times the multiplier of a row `m` of `multipliers`, as SQL.
fn multiplied(price: &str) -> String {
    let places = places("value");
    let rounded = rounded_price(&exact_price(price, "m.numerator", "m.denominator"));
    format!(
        "(SELECT {rounded}
          FROM (SELECT {price} * m.double AS value) of_double
          CROSS JOIN LATERAL (SELECT {places} AS places) of_value)"
    )
}

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
            Table::Prices => self.convert("staging", self.splits_in_effect().await?).await,
            Table::Actions => self.convert("prices", self.splits_in_stored_prices().await?).await,
        }
    }

    /// The known splits of the staged stocks with a bar on or after their ex-date.
    async fn splits_in_effect(&self) -> Result<Vec<SplitToUndo>, StoreError> {
        let sql = "SELECT a.stock_id, a.ex_date, a.split_from, a.split_to
                   FROM staged t JOIN corporate_actions a
                     ON a.stock_id = t.stock_id AND a.type = 'split'
                   WHERE a.ex_date <= greatest(t.last, (
                       SELECT max(date) FROM prices WHERE stock_id = t.stock_id))";
        self.client.query(sql, &[]).await?.iter().map(split_to_undo).collect()
    }

    /// Multiplies the prices before each split by its ratio, and divides the volumes, in `staging`
    /// or `prices`.
    async fn convert(
        &self,
        table: &str,
        splits: Vec<SplitToUndo>,
    ) -> Result<Vec<MergedStock>, StoreError> {
        let prices = ["open", "high", "low", "close", "vwap"];
        let prices = prices.map(|price| format!("{price} = {}", multiplied(&format!("p.{price}"))));
        let volume = rounded_quotient("p.volume * m.denominator", "m.numerator");
        let sql = format!(
            "WITH {MULTIPLIERS}, converted AS (
                 UPDATE {table} p SET {}, volume = {volume}::bigint FROM multipliers m
                 WHERE p.stock_id = m.stock_id AND p.date >= m.first AND p.date < m.before
                 RETURNING p.stock_id, p.date)
             SELECT stock_id, count(*) AS bars, min(date) AS first, max(date) AS last
             FROM converted GROUP BY stock_id",
            prices.join(", ")
        );
        self.client.batch_execute(EXACT_TEXTS).await?;
        let rows = self.client.query(&sql, &Multipliers::of(splits).parameters()).await?;
        rows.iter().map(converted).collect()
    }

    /// Multiplies staged dividends by the ratios of later splits, up to today. Returns how many. A
    /// split of the file replaces the stored one of its day.
    pub(super) async fn convert_dividends(&self) -> Result<i64, StoreError> {
        if self.table != Table::Actions {
            return Ok(0);
        }
        let sql = "
            SELECT DISTINCT ON (stock_id, ex_date) stock_id, ex_date, split_from, split_to
            FROM (SELECT stock_id, ex_date, split_from, split_to, 0 AS rank
                  FROM staging WHERE type = 'split'
                  UNION ALL
                  SELECT a.stock_id, a.ex_date, a.split_from, a.split_to, 1
                  FROM corporate_actions a JOIN staged t ON t.stock_id = a.stock_id
                  WHERE a.type = 'split') known
            WHERE ex_date <= current_date
            ORDER BY stock_id, ex_date, rank";
        let rows = self.client.query(sql, &[]).await?;
        let splits = rows.iter().map(split_to_undo).collect::<Result<_, StoreError>>()?;
        let dividend = multiplied("d.dividend");
        let sql = format!(
            "WITH {MULTIPLIERS}
             UPDATE staging d SET dividend = {dividend} FROM multipliers m
             WHERE d.stock_id = m.stock_id AND d.ex_date >= m.first AND d.ex_date < m.before
               AND d.dividend IS NOT NULL"
        );
        self.client.batch_execute(EXACT_TEXTS).await?;
        let converted = self.client.execute(&sql, &Multipliers::of(splits).parameters()).await?;
        Ok(converted.cast_signed())
    }
}

fn split_to_undo(row: &Row) -> Result<SplitToUndo, StoreError> {
    Ok(SplitToUndo {
        stock_id: row.try_get("stock_id")?,
        ex_date: row.try_get("ex_date")?,
        from: row.try_get("split_from")?,
        to: row.try_get("split_to")?,
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
