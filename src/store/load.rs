//! Bulk loads: COPY into a staging table, checks there, one insert or merge, one commit. Dropped before the commit,
//! nothing of a load remains that anybody can see.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;

use serde::Serialize;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, CopyInSink, Row};

use super::{Database, StoreFault, Table};
use crate::market::Symbol;

/// Repeats that are named; more are not looked for.
const REPEATS_NAMED_MAX: i64 = 10;
/// From how many rows a stock on it is worth looking whether there are none of them yet. Where a file has one, as a
/// feed's day, looking costs as much as it saves.
const INSERT_FROM_ROWS_PER_STOCK: i64 = 8;
/// From how many rows on the table is vacuumed at once: only then are its index-only reads fast again.
const VACUUM_FROM_ROWS: i64 = 10_000;
/// From which part of the table on its statistics are taken anew, as autovacuum would: they are a sample of up to 30,000
/// pages, which takes many times as long as the vacuum after a day.
const ANALYZE_FROM_PART: f64 = 0.1;

/// What rows may refer to.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The surrogate id of each symbol.
    pub stocks: HashMap<Symbol, i32>,
    pub exchanges: HashSet<String>,
}

/// A row that says something about what an earlier one of the same file spoke of.
#[derive(Debug, PartialEq, Eq)]
pub struct Repeat {
    pub line: u64,
    pub first_line: u64,
}

/// What a load changed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadReport {
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    /// Stocks of which anything changed.
    pub stocks_touched: usize,
}

/// What a load did to one stock.
struct Merged {
    stock_id: i32,
    added: i64,
    changed: i64,
}

/// A transaction under way.
pub struct Loader {
    client: Client,
    table: Table,
}

impl Loader {
    /// Begins a load: a connection of its own, a transaction, an empty staging table.
    ///
    /// # Errors
    /// When Postgres can't be reached or the tables are missing.
    pub async fn begin(database: &Database, table: Table) -> Result<Self, StoreFault> {
        let client = database.connect_alone().await?;
        // Whatever the server's default is: a vacuum takes no row for visible to all whose commit is not on the disk yet.
        client.batch_execute("BEGIN; SET LOCAL synchronous_commit = on").await?;
        client.batch_execute(table.staging()).await?;
        Ok(Self { client, table })
    }

    pub async fn known(&self) -> Result<Known, StoreFault> {
        let mut known = Known::default();
        for row in self.client.query("SELECT symbol, id FROM stocks", &[]).await? {
            let symbol: &str = row.get(0);
            let symbol = symbol.parse().map_err(|_| StoreFault::Broken(format!("{symbol:?} is no symbol")))?;
            known.stocks.insert(symbol, row.get(1));
        }
        let exchanges = self.client.query("SELECT code FROM exchanges", &[]).await?;
        known.exchanges = exchanges.iter().map(|row| row.get(0)).collect();
        Ok(known)
    }

    /// Where rows go: CSV, the line of the file first, then the columns of the staging table.
    pub async fn rows<B: bytes::Buf + Send + 'static>(&self) -> Result<Pin<Box<CopyInSink<B>>>, StoreFault> {
        Ok(Box::pin(self.client.copy_in("COPY staging FROM STDIN (FORMAT csv)").await?))
    }

    /// Loads the staged rows and commits: from here on everybody reads them. Where rows repeat the subject of an
    /// earlier one, the first of them come back instead, and nothing was loaded.
    pub async fn commit(&self) -> Result<Result<LoadReport, Vec<Repeat>>, StoreFault> {
        let staged: i64 = self.client.query_one("SELECT count(*) FROM staging", &[]).await?.get(0);
        let merged = match self.insert().await? {
            Some(inserted) => inserted,
            None => {
                let repeats = self.repeats().await?;
                if !repeats.is_empty() {
                    return Ok(Err(repeats));
                }
                self.merge().await?
            }
        };
        if !merged.is_empty() {
            self.touch(&merged.iter().map(|of| of.stock_id).collect::<Vec<_>>()).await?;
        }
        self.client.batch_execute("COMMIT").await?;
        let (added, changed) = merged.iter().fold((0, 0), |sum, of| (sum.0 + of.added, sum.1 + of.changed));
        Ok(Ok(LoadReport { added, changed, unchanged: staged - added - changed, stocks_touched: merged.len() }))
    }

    /// The short way for prices of which there are none yet, as in a first load: they are inserted as they are, which
    /// saves a merge a third of its time and the search for repeats. `None`, and nothing done, where that is not so.
    /// What proves it is the primary key: a row that repeats another of the file, or that somebody else commits
    /// meanwhile, sends all of them the long way.
    async fn insert(&self) -> Result<Option<Vec<Merged>>, StoreFault> {
        if self.table != Table::Prices {
            return Ok(None);
        }
        let Some(inserted) = self.new_prices().await? else { return Ok(None) };
        self.client.batch_execute("SAVEPOINT before_insert").await?;
        match self.insert_prices().await {
            Err(fault) if fault.is(&SqlState::UNIQUE_VIOLATION) => {
                self.client.batch_execute("ROLLBACK TO SAVEPOINT before_insert").await?;
                Ok(None)
            }
            done => done.map(|()| Some(inserted)),
        }
    }

    /// How many prices are staged of each stock; `None` where a stock has a price between their first and last day
    /// already, or where they are so few a stock that it is not worth looking.
    async fn new_prices(&self) -> Result<Option<Vec<Merged>>, StoreFault> {
        let sql = format!(
            "WITH staged AS MATERIALIZED (
                 SELECT stock_id, count(*) AS rows, min(date) AS first, max(date) AS last FROM staging GROUP BY stock_id)
             SELECT s.stock_id, s.rows, met.date IS NULL
             FROM staged s LEFT JOIN LATERAL (
                 SELECT date FROM prices WHERE stock_id = s.stock_id AND date >= s.first AND date <= s.last
                 ORDER BY date LIMIT 1
             ) met ON true
             WHERE (SELECT sum(rows) >= {INSERT_FROM_ROWS_PER_STOCK} * count(*) FROM staged)"
        );
        let rows = self.client.query(&sql, &[]).await?;
        let added = |row: &Row| Merged { stock_id: row.get(0), added: row.get(1), changed: 0 };
        let new: Option<Vec<_>> = rows.iter().map(|row| row.get::<_, bool>(2).then(|| added(row))).collect();
        Ok(new.filter(|stocks| !stocks.is_empty()))
    }

    /// Inserts in key order, as a merge does: two loads at once wait for each other instead of deadlocking.
    async fn insert_prices(&self) -> Result<(), StoreFault> {
        let sql = "INSERT INTO prices (stock_id, date, open, high, low, close, adjusted_close, volume)
                   SELECT stock_id, date, open, high, low, close, adjusted_close, volume
                   FROM staging ORDER BY stock_id, date";
        Ok(self.client.batch_execute(sql).await?)
    }

    /// The first rows that repeat the subject of an earlier one.
    async fn repeats(&self) -> Result<Vec<Repeat>, StoreFault> {
        let sql = format!(
            "SELECT line, first FROM (SELECT line, min(line) OVER (PARTITION BY {}) AS first FROM staging) rows
             WHERE line > first ORDER BY line LIMIT {REPEATS_NAMED_MAX}",
            self.table.subject()
        );
        let line = |row: &Row, at: usize| row.get::<_, i64>(at).unsigned_abs();
        let rows = self.client.query(&sql, &[]).await?;
        Ok(rows.iter().map(|row| Repeat { line: line(row, 0), first_line: line(row, 1) }).collect())
    }

    /// Merges the staged rows, whatever is there already.
    async fn merge(&self) -> Result<Vec<Merged>, StoreFault> {
        let rows = self.client.query(self.table.merge(), &[]).await?;
        Ok(rows.iter().map(|row| Merged { stock_id: row.get(0), added: row.get(1), changed: row.get(2) }).collect())
    }

    /// After a large load: makes index-only reads fast again. Reads are right without it, and autovacuum would come by.
    /// The stocks as well, of which each touched one has left a dead row.
    pub async fn vacuum(self, report: &LoadReport) {
        let rows = report.added + report.changed;
        if rows < VACUUM_FROM_ROWS {
            return;
        }
        for vacuum in [self.vacuum_prices(rows).await, self.vacuum_stocks().await] {
            if let Err(fault) = vacuum {
                tracing::warn!(cause = %fault, "a table could not be vacuumed");
            }
        }
    }

    async fn vacuum_prices(&self, rows: i64) -> Result<(), StoreFault> {
        let known = "SELECT reltuples FROM pg_class WHERE oid = 'prices'::regclass";
        let rows_known: f32 = self.client.query_one(known, &[]).await?.get(0);
        let is_large = rows as f64 >= ANALYZE_FROM_PART * f64::from(rows_known);
        let sql = if is_large { "VACUUM (ANALYZE) prices" } else { "VACUUM prices" };
        Ok(self.client.batch_execute(sql).await?)
    }

    async fn vacuum_stocks(&self) -> Result<(), StoreFault> {
        Ok(self.client.batch_execute("VACUUM stocks").await?)
    }

    /// Gives the stocks the next revision. Last before the commit: it locks the counter that every change draws from.
    /// The stocks are locked before it and by symbol, as a load of stocks does: else the two could wait for each other.
    async fn touch(&self, stocks: &[i32]) -> Result<u64, StoreFault> {
        let lock = "SELECT FROM stocks WHERE id = ANY($1) ORDER BY symbol FOR NO KEY UPDATE";
        self.client.query(lock, &[&stocks]).await?;
        let sql = "WITH next AS (SELECT next_revision() AS current)
                   UPDATE stocks SET data_version = next.current, updated_at = now() FROM next WHERE id = ANY($1)";
        Ok(self.client.execute(sql, &[&stocks]).await?)
    }
}
