//! Computes the adjusted closes of stocks without a feed's.
//!
//! They depend on raw closes and actions alone, not on the order of loads. A load that may have
//! changed adjusted closes recomputes them in its own transaction, under the locks on its stocks.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::computed_close::{CREATE_FACTORS, computed, replace_staging};
use super::rounding::EXACT_TEXTS;
use super::{Loader, MergedStock, Table, stock_ids};
use crate::market::{AdjustmentFactor, EffectiveAction, factors};
use crate::store::StoreError;
use crate::store::effective_actions::effective_action;

/// The number of stocks whose actions are in memory at the same time.
const STOCKS_PER_CHUNK: usize = 500;
/// The rows `p` of `prices`, of the stocks `$1`, whose prices and volumes a merge of staged prices
/// leaves as they are.
const NOT_REPLACED: &str = "NOT EXISTS (
    SELECT FROM staging s
    WHERE s.stock_id = ANY($1) AND s.stock_id = p.stock_id AND s.date = p.date
        AND (s.open, s.high, s.low, s.close, s.volume)
            IS DISTINCT FROM (p.open, p.high, p.low, p.close, p.volume))";

impl Loader {
    /// Computes the adjusted closes of the staged prices. Returns the stocks whose earlier adjusted
    /// closes may have changed. `newly_computed` are stocks whose adjusted closes came from a feed
    /// before.
    pub(super) async fn adjust_staged(
        &self,
        newly_computed: &[i32],
    ) -> Result<Vec<i32>, StoreError> {
        let stocks = self.stocks_to_adjust(newly_computed).await?;
        if !stocks.is_empty() {
            self.index_staging().await?;
        }
        self.compute_factors(&stocks, &["staging", "prices"]).await?;
        self.client.batch_execute(&replace_staging()).await?;
        // Other stocks have no earlier adjusted closes.
        self.with_prices(&stocks).await
    }

    /// Which of these computed stocks have staged adjusted closes that all equal the computed ones,
    /// and which of those may have earlier adjusted closes that change: (equal, stale).
    pub(super) async fn with_equal_closes(
        &self,
        stocks: &[i32],
    ) -> Result<(Vec<i32>, Vec<i32>), StoreError> {
        self.index_staging().await?;
        self.compute_factors(stocks, &["staging", "prices"]).await?;
        let computed = computed();
        let sql = format!(
            "SELECT stock_id FROM staging p WHERE stock_id = ANY($1)
             GROUP BY stock_id HAVING bool_and(adjusted_close = {computed})"
        );
        let equal = stock_ids(&self.client.query(&sql, &[&stocks]).await?)?;
        let mut stale = self.stocks_to_adjust(&[]).await?;
        stale.retain(|stock| equal.contains(stock));
        self.client.batch_execute("DROP INDEX staging_key").await?;
        Ok((equal, stale))
    }

    async fn index_staging(&self) -> Result<(), StoreError> {
        let sql = "CREATE INDEX IF NOT EXISTS staging_key ON staging (stock_id, date);
                   ANALYZE staging";
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Computes the factors of the stocks whose actions were merged, except of stocks with a feed's
    /// adjusted closes. Returns the computed stocks.
    pub(super) async fn compute_factors_of_merged(
        &self,
        merged: &[MergedStock],
    ) -> Result<Vec<i32>, StoreError> {
        let merged: Vec<_> = merged.iter().map(|stock| stock.stock_id).collect();
        let sql =
            "SELECT id AS stock_id FROM stocks WHERE id = ANY($1) AND computes_adjusted_close";
        let stocks = stock_ids(&self.client.query(sql, &[&merged]).await?)?;
        self.compute_factors(&stocks, &["prices"]).await?;
        Ok(stocks)
    }

    /// The staged stocks with an action after the last bar before the staged ones. No other action
    /// affects staged or earlier bars.
    async fn stocks_to_adjust(&self, newly_computed: &[i32]) -> Result<Vec<i32>, StoreError> {
        let sql = "SELECT s.stock_id FROM staged s WHERE s.stock_id = ANY($1) OR EXISTS (
                       SELECT FROM corporate_actions a
                       WHERE a.stock_id = s.stock_id AND a.ex_date > coalesce((
                           SELECT date FROM prices p
                           WHERE p.stock_id = s.stock_id AND p.date < s.first
                           ORDER BY date DESC LIMIT 1), '-infinity'))";
        stock_ids(&self.client.query(sql, &[&newly_computed]).await?)
    }

    /// Fills the temporary table `factors`. A close is read from the first of `tables` that has the
    /// day.
    async fn compute_factors(&self, stocks: &[i32], tables: &[&str]) -> Result<(), StoreError> {
        self.client.batch_execute(EXACT_TEXTS).await?;
        self.client.batch_execute(CREATE_FACTORS).await?;
        for chunk in stocks.chunks(STOCKS_PER_CHUNK) {
            let of_stocks = self.actions_in_effect(chunk, tables).await?;
            let of_stocks = of_stocks.into_iter().map(|(id, actions)| (id, factors(actions)));
            self.insert_factors(of_stocks).await?;
        }
        self.client
            .batch_execute("CREATE INDEX ON factors (stock_id, before); ANALYZE factors")
            .await?;
        Ok(())
    }

    async fn insert_factors(
        &self,
        of_stocks: impl Iterator<Item = (i32, Vec<AdjustmentFactor>)>,
    ) -> Result<(), StoreError> {
        let (mut ids, mut days, mut doubles) = (Vec::new(), Vec::new(), Vec::new());
        let (mut numerators, mut denominators) = (Vec::new(), Vec::new());
        for (stock_id, factors) in of_stocks {
            for AdjustmentFactor { before, all, .. } in factors {
                let (numerator, denominator) = all.parts();
                ids.push(stock_id);
                days.push(before);
                doubles.push(all.approximate());
                numerators.push(numerator);
                denominators.push(denominator);
            }
        }
        let sql = "INSERT INTO factors
                   SELECT stock_id, before, factor, numerator::numeric, denominator::numeric
                   FROM unnest($1::int[], $2::date[], $3::float8[], $4::text[], $5::text[])
                       AS new (stock_id, before, factor, numerator, denominator)";
        self.client.execute(sql, &[&ids, &days, &doubles, &numerators, &denominators]).await?;
        Ok(())
    }

    /// The actions of these stocks with a bar on or after the ex-date. An action that is only
    /// announced has no effect yet.
    async fn actions_in_effect(
        &self,
        stocks: &[i32],
        tables: &[&str],
    ) -> Result<HashMap<i32, Vec<EffectiveAction>>, StoreError> {
        let first = |(rank, table): (usize, &&str)| {
            format!(
                "(SELECT date, close, {rank} AS preference FROM {table}
                  WHERE stock_id = a.stock_id AND date >= a.ex_date ORDER BY date LIMIT 1)"
            )
        };
        let firsts = tables.iter().enumerate().map(first).collect::<Vec<_>>().join(" UNION ALL ");
        let sql = format!(
            "SELECT a.stock_id, a.ex_date, a.type, a.split_from, a.split_to, a.dividend,
                    first.close, first.date AS bar_date
             FROM corporate_actions a
             JOIN LATERAL (
                 SELECT close, date FROM ({firsts}) days ORDER BY date, preference LIMIT 1
             ) first ON true
             WHERE a.stock_id = ANY($1)"
        );
        let mut of_stocks: HashMap<i32, Vec<_>> = HashMap::new();
        for row in self.client.query(&sql, &[&stocks]).await? {
            of_stocks.entry(row.try_get("stock_id")?).or_default().push(taken_effect(&row)?);
        }
        Ok(of_stocks)
    }

    /// Recomputes the adjusted closes of the bars of these stocks, which were computed before.
    /// Returns the changes. Bars that staged prices replace get theirs from the merge.
    ///
    /// The triggers keep no history of them: for an earlier time they are computed from the closes
    /// and actions of that time.
    pub(super) async fn readjust_computed(
        &self,
        stocks: &[i32],
    ) -> Result<Vec<MergedStock>, StoreError> {
        let bars = if self.table == Table::Prices && !stocks.is_empty() {
            self.index_staging().await?;
            NOT_REPLACED
        } else {
            "true"
        };
        self.client.batch_execute("SET LOCAL tickerd.only_computes = on").await?;
        let changes = self.readjust_bars(stocks, bars).await?;
        self.client.batch_execute("SET LOCAL tickerd.only_computes = off").await?;
        Ok(changes)
    }

    /// Recomputes the adjusted closes of all bars of these stocks. Returns the changes.
    pub(super) async fn readjust(&self, stocks: &[i32]) -> Result<Vec<MergedStock>, StoreError> {
        self.readjust_bars(stocks, "true").await
    }

    /// Recomputes the adjusted closes of the rows `p` of `prices` that a condition holds for.
    async fn readjust_bars(
        &self,
        stocks: &[i32],
        condition: &str,
    ) -> Result<Vec<MergedStock>, StoreError> {
        if stocks.is_empty() {
            return Ok(Vec::new());
        }
        let computed = computed();
        let sql = format!(
            "WITH readjusted AS (
                 UPDATE prices p SET adjusted_close = {computed}
                 WHERE p.stock_id = ANY($1) AND {condition} AND p.adjusted_close <> {computed}
                 RETURNING stock_id, date)
             SELECT stock_id, count(*) AS readjusted, min(date) AS first, max(date) AS last
             FROM readjusted GROUP BY stock_id"
        );
        let rows = self.client.query(&sql, &[&stocks]).await?;
        let readjusted = |row: &Row| {
            let days = Some((row.try_get("first")?, row.try_get("last")?));
            Ok(MergedStock {
                stock_id: row.try_get("stock_id")?,
                added: 0,
                changed: 0,
                readjusted: row.try_get("readjusted")?,
                converted: 0,
                days,
            })
        };
        rows.iter().map(readjusted).collect()
    }
}

fn taken_effect(row: &Row) -> Result<EffectiveAction, StoreError> {
    let (close, bar_date) = (row.try_get("close")?, row.try_get("bar_date")?);
    let split_from: Option<f64> = row.try_get("split_from")?;
    let dividend: Option<f64> = row.try_get("dividend")?;
    effective_action(
        row.try_get("ex_date")?,
        row.try_get("type")?,
        split_from.zip(row.try_get("split_to")?),
        dividend.map(|amount| (amount, close, bar_date)),
    )
}
