//! Computes adjusted closes where no feed supplies them.
//!
//! They depend on raw closes and actions alone, not on the order in which these came. So whatever
//! may have changed them is computed anew, inside of the load that did it: under the locks on its
//! stocks, which a load takes first.

use std::collections::HashMap;

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::{Loader, Merged, stock_ids};
use crate::market::{Action, ActionKind, Factor, TakenEffect, factors};
use crate::store::StoreError;

/// Stocks whose actions are in memory at once.
const STOCKS_AT_ONCE: usize = 500;

/// The adjusted close of a row of `prices` or `staging`, here called `p`.
const COMPUTED: &str =
    "p.close * coalesce((SELECT factor FROM factors f WHERE f.stock_id = p.stock_id
                        AND f.before > p.date ORDER BY f.before LIMIT 1), 1)";

impl Loader {
    /// Gives the staged prices adjusted closes, and returns the stocks whose earlier ones may no
    /// longer be right. `anew` are stocks that have not been computed so far.
    pub(super) async fn adjust_staged(&self, anew: &[i32]) -> Result<Vec<i32>, StoreError> {
        self.client
            .batch_execute("CREATE INDEX staging_key ON staging (stock_id, date); ANALYZE staging")
            .await?;
        let stocks = self.stocks_to_adjust(anew).await?;
        self.find_factors(&stocks, &["staging", "prices"]).await?;
        // Each row is about to be written anew, and the index with it.
        let sql =
            format!("DROP INDEX staging_key; UPDATE staging p SET adjusted_close = {COMPUTED}");
        self.client.batch_execute(&sql).await?;
        Ok(stocks)
    }

    /// After actions were merged: finds the factors of the stocks that they touched, except where a
    /// feed supplies adjusted closes, and returns these stocks.
    pub(super) async fn find_factors_of_touched(
        &self,
        merged: &[Merged],
    ) -> Result<Vec<i32>, StoreError> {
        let touched: Vec<_> = merged.iter().map(|of| of.stock_id).collect();
        let sql =
            "SELECT id AS stock_id FROM stocks WHERE id = ANY($1) AND computes_adjusted_close";
        let stocks = stock_ids(&self.client.query(sql, &[&touched]).await?)?;
        self.find_factors(&stocks, &["prices"]).await?;
        Ok(stocks)
    }

    /// The staged stocks with an action after the last bar before the staged ones: of the others
    /// neither these nor any earlier bar have anything to be adjusted by.
    async fn stocks_to_adjust(&self, anew: &[i32]) -> Result<Vec<i32>, StoreError> {
        let sql = "SELECT s.stock_id FROM staged s WHERE s.stock_id = ANY($1) OR EXISTS (
                       SELECT FROM corporate_actions a WHERE a.stock_id = s.stock_id AND a.ex_date > coalesce((
                           SELECT date FROM prices p WHERE p.stock_id = s.stock_id AND p.date < s.first
                           ORDER BY date DESC LIMIT 1), '-infinity'))";
        stock_ids(&self.client.query(sql, &[&anew]).await?)
    }

    /// Fills the temporary table `factors`. A close is looked for in the first of `tables` that has
    /// the day.
    async fn find_factors(&self, stocks: &[i32], tables: &[&str]) -> Result<(), StoreError> {
        let create =
            "CREATE TEMP TABLE factors (stock_id int, before date, factor float8) ON COMMIT DROP";
        self.client.batch_execute(create).await?;
        for some in stocks.chunks(STOCKS_AT_ONCE) {
            let (mut ids, mut days, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for (stock_id, actions) in self.actions_in_effect(some, tables).await? {
                for Factor { before, factor } in factors(actions) {
                    ids.push(stock_id);
                    days.push(before);
                    values.push(factor);
                }
            }
            self.keep_factors(&ids, &days, &values).await?;
        }
        self.client
            .batch_execute("CREATE INDEX ON factors (stock_id, before); ANALYZE factors")
            .await?;
        Ok(())
    }

    async fn keep_factors(
        &self,
        ids: &[i32],
        before: &[NaiveDate],
        values: &[f64],
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO factors SELECT * FROM unnest($1::int[], $2::date[], $3::float8[])";
        self.client.execute(sql, &[&ids, &before, &values]).await?;
        Ok(())
    }

    /// The actions of these stocks that have a bar on or after their ex-date: one that is only
    /// announced changes nothing.
    async fn actions_in_effect(
        &self,
        stocks: &[i32],
        tables: &[&str],
    ) -> Result<HashMap<i32, Vec<TakenEffect>>, StoreError> {
        let first = |(at, table): (usize, &&str)| {
            format!(
                "(SELECT date, close, {at} AS preference FROM {table} WHERE stock_id = a.stock_id AND date >= a.ex_date
                  ORDER BY date LIMIT 1)"
            )
        };
        let firsts = tables.iter().enumerate().map(first).collect::<Vec<_>>().join(" UNION ALL ");
        let sql = format!(
            "SELECT a.stock_id, a.ex_date, a.split_from, a.split_to, a.dividend, first.close FROM corporate_actions a
             JOIN LATERAL (SELECT close FROM ({firsts}) days ORDER BY date, preference LIMIT 1) first ON true
             WHERE a.stock_id = ANY($1)"
        );
        let mut of_stocks: HashMap<i32, Vec<_>> = HashMap::new();
        for row in self.client.query(&sql, &[&stocks]).await? {
            of_stocks.entry(row.try_get("stock_id")?).or_default().push(taken_effect(&row)?);
        }
        Ok(of_stocks)
    }

    /// Computes the adjusted closes of all bars of these stocks, and returns what was changed.
    pub(super) async fn readjust(&self, stocks: &[i32]) -> Result<Vec<Merged>, StoreError> {
        if stocks.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "WITH readjusted AS (
                 UPDATE prices p SET adjusted_close = {COMPUTED}
                 WHERE p.stock_id = ANY($1) AND p.adjusted_close <> {COMPUTED} RETURNING stock_id, date)
             SELECT stock_id, count(*) AS readjusted, min(date) AS first, max(date) AS last FROM readjusted GROUP BY stock_id"
        );
        let rows = self.client.query(&sql, &[&stocks]).await?;
        let readjusted = |row: &Row| {
            let days = Some((row.try_get("first")?, row.try_get("last")?));
            let (stock_id, readjusted) = (row.try_get("stock_id")?, row.try_get("readjusted")?);
            Ok(Merged { stock_id, added: 0, changed: 0, readjusted, days })
        };
        rows.iter().map(readjusted).collect()
    }
}

fn taken_effect(row: &Row) -> Result<TakenEffect, StoreError> {
    let split_from = row.try_get("split_from")?;
    let split_to = row.try_get("split_to")?;
    let kind = match (split_from, split_to, row.try_get("dividend")?) {
        (Some(from), Some(to), None) => ActionKind::Split { from, to },
        (None, None, Some(dividend)) => ActionKind::Dividend(dividend),
        _ => {
            return Err(StoreError::Corrupt(
                "a corporate action is neither a split nor a dividend".to_owned(),
            ));
        }
    };
    let action = Action { ex_date: row.try_get("ex_date")?, kind };
    Ok(TakenEffect { action, close: row.try_get("close")? })
}
