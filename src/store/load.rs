//! Bulk loads: COPY into a staging table, checks there, one merge, one commit. Dropped before the commit, nothing
//! of a load remains.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;

use serde::Serialize;
use tokio_postgres::{Client, CopyInSink};

use super::{Database, StoreFault};
use crate::market::Symbol;

/// What can be loaded, and the statements that load it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Stocks,
    Prices,
    Actions,
}

/// Repeats that are named; more are not looked for.
const REPEATS_NAMED_MAX: i64 = 10;
/// From how many rows on the table is vacuumed at once: only then are its index-only reads fast again.
const VACUUM_FROM_ROWS: i64 = 10_000;

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
        client.batch_execute("BEGIN").await?;
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

    /// The first rows that repeat the subject of an earlier one.
    pub async fn repeats(&self) -> Result<Vec<Repeat>, StoreFault> {
        let sql = format!(
            "SELECT line, first FROM (SELECT line, min(line) OVER (PARTITION BY {}) AS first FROM staging) rows
             WHERE line > first ORDER BY line LIMIT {REPEATS_NAMED_MAX}",
            self.table.subject()
        );
        let line = |row: &tokio_postgres::Row, at: usize| row.get::<_, i64>(at).unsigned_abs();
        let rows = self.client.query(&sql, &[]).await?;
        Ok(rows.iter().map(|row| Repeat { line: line(row, 0), first_line: line(row, 1) }).collect())
    }

    /// Merges the staged rows and commits: from here on everybody reads them.
    pub async fn commit(&self) -> Result<LoadReport, StoreFault> {
        let staged: i64 = self.client.query_one("SELECT count(*) FROM staging", &[]).await?.get(0);
        let merged = self.client.query(self.table.merge(), &[]).await?;
        let touched: Vec<i32> = merged.iter().map(|row| row.get(0)).collect();
        let sum = |column: usize| merged.iter().map(|row| row.get::<_, i64>(column)).sum::<i64>();
        let (added, changed) = (sum(1), sum(2));
        if !touched.is_empty() {
            self.touch(&touched).await?;
        }
        self.client.batch_execute("COMMIT").await?;
        Ok(LoadReport { added, changed, unchanged: staged - added - changed, stocks_touched: touched.len() })
    }

    /// After a large load: makes index-only reads fast again. Reads are right without it, and autovacuum would come by.
    pub async fn vacuum(self, report: &LoadReport) {
        if report.added + report.changed < VACUUM_FROM_ROWS {
            return;
        }
        if let Err(e) = self.client.batch_execute("VACUUM (ANALYZE) prices").await {
            tracing::warn!(cause = %StoreFault::from(e), "prices could not be vacuumed");
        }
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

impl Table {
    fn staging(self) -> &'static str {
        match self {
            Self::Stocks => {
                "CREATE TEMP TABLE staging (line bigint, symbol text, name text, exchange text, sector text,
                 industry text, currency text, market_cap bigint) ON COMMIT DROP"
            }
            Self::Prices => {
                "CREATE TEMP TABLE staging (line bigint, stock_id int, date date, open float8, high float8, low float8,
                 close float8, adjusted_close float8, volume bigint) ON COMMIT DROP"
            }
            Self::Actions => {
                "CREATE TEMP TABLE staging (line bigint, stock_id int, ex_date date, kind text, split_from float8,
                 split_to float8, dividend float8) ON COMMIT DROP"
            }
        }
    }

    /// The columns that no two rows of a file may share.
    fn subject(self) -> &'static str {
        match self {
            Self::Stocks => "symbol",
            Self::Prices => "stock_id, date",
            Self::Actions => "stock_id, ex_date, kind",
        }
    }

    /// Merges staging and yields, for each stock that it touched, its id and how many rows it added and changed.
    /// Rows are merged in key order, so that two loads at once wait for each other instead of deadlocking.
    fn merge(self) -> &'static str {
        match self {
            Self::Stocks => {
                "WITH merged AS (
                     INSERT INTO stocks AS s (symbol, name, exchange, sector, industry, currency, market_cap, data_version)
                     SELECT symbol, name, exchange, sector, industry, currency, market_cap, 0 FROM staging ORDER BY symbol
                     ON CONFLICT (symbol) DO UPDATE SET name = excluded.name, exchange = excluded.exchange,
                         sector = coalesce(excluded.sector, s.sector),
                         industry = coalesce(excluded.industry, s.industry), currency = excluded.currency,
                         market_cap = coalesce(excluded.market_cap, s.market_cap)
                     WHERE (s.name, s.exchange, s.sector, s.industry, s.currency, s.market_cap) IS DISTINCT FROM
                           (excluded.name, excluded.exchange, coalesce(excluded.sector, s.sector),
                            coalesce(excluded.industry, s.industry), excluded.currency,
                            coalesce(excluded.market_cap, s.market_cap))
                     RETURNING id AS stock_id, xmax = 0 AS added)
                 SELECT stock_id, count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added)
                 FROM merged GROUP BY stock_id"
            }
            Self::Prices => {
                "WITH merged AS (
                     INSERT INTO prices AS p (stock_id, date, open, high, low, close, adjusted_close, volume)
                     SELECT stock_id, date, open, high, low, close, adjusted_close, volume
                     FROM staging ORDER BY stock_id, date
                     ON CONFLICT (stock_id, date) DO UPDATE SET open = excluded.open, high = excluded.high,
                         low = excluded.low, close = excluded.close, adjusted_close = excluded.adjusted_close,
                         volume = excluded.volume
                     WHERE (p.open, p.high, p.low, p.close, p.adjusted_close, p.volume) IS DISTINCT FROM
                           (excluded.open, excluded.high, excluded.low, excluded.close, excluded.adjusted_close,
                            excluded.volume)
                     RETURNING stock_id, xmax = 0 AS added)
                 SELECT stock_id, count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added)
                 FROM merged GROUP BY stock_id"
            }
            Self::Actions => {
                "WITH merged AS (
                     INSERT INTO corporate_actions AS a (stock_id, ex_date, kind, split_from, split_to, dividend)
                     SELECT stock_id, ex_date, kind, split_from, split_to, dividend
                     FROM staging ORDER BY stock_id, ex_date, kind
                     ON CONFLICT (stock_id, ex_date, kind) DO UPDATE SET split_from = excluded.split_from,
                         split_to = excluded.split_to, dividend = excluded.dividend
                     WHERE (a.split_from, a.split_to, a.dividend) IS DISTINCT FROM
                           (excluded.split_from, excluded.split_to, excluded.dividend)
                     RETURNING stock_id, xmax = 0 AS added)
                 SELECT stock_id, count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added)
                 FROM merged GROUP BY stock_id"
            }
        }
    }
}
