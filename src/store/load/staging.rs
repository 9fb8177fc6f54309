//! The kinds of files, their staging tables, and the statements that merge staged rows.

use tokio_postgres::types::Type;

use super::merge_prices::MERGE_PRICES;

/// A kind of file, by the table of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Stocks,
    Prices,
    Actions,
}

/// See [`Table::column_types`].
const STOCK_TYPES: [Type; 15] = [
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
];
const PRICE_TYPES: [Type; 11] = [
    Type::INT8,
    Type::INT4,
    Type::DATE,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::INT8,
    Type::FLOAT8,
    Type::INT8,
];
const ACTION_TYPES: [Type; 13] = [
    Type::INT8,
    Type::INT4,
    Type::DATE,
    Type::TEXT,
    Type::TEXT,
    Type::BOOL,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::DATE,
    Type::DATE,
    Type::DATE,
    Type::INT2,
];

/// The declaration of a column.
macro_rules! declared {
    ($name:literal, $type:literal) => {
        concat!($name, " ", $type)
    };
}

impl Table {
    /// Creates the staging table. Its first column is the line of the file. `feed` writes rows in
    /// the order of these columns.
    pub(super) fn create_staging(self) -> &'static str {
        match self {
            Self::Stocks => {
                "CREATE TEMP TABLE staging (line bigint, symbol text, other_spelling text,
                 name text, exchange text, sector text, industry text, currency text,
                 market_cap bigint, type text, country text, isin text, cusip text, figi text,
                 cik text) ON COMMIT DROP"
            }
            Self::Prices => {
                concat!(
                    "CREATE TEMP TABLE staging (line bigint, stock_id int, ",
                    bar_columns!(declared),
                    ", vwap float8, trades bigint) ON COMMIT DROP"
                )
            }
            Self::Actions => {
                "CREATE TEMP TABLE staging (line bigint, stock_id int, ex_date date, kind text,
                 type text COLLATE \"C\", has_type boolean, split_from float8, split_to float8,
                 dividend float8, declaration_date date, record_date date, pay_date date,
                 frequency smallint) ON COMMIT DROP"
            }
        }
    }

    /// The types of the columns of the staging table.
    pub(super) fn column_types(self) -> &'static [Type] {
        match self {
            Self::Stocks => &STOCK_TYPES,
            Self::Prices => &PRICE_TYPES,
            Self::Actions => &ACTION_TYPES,
        }
    }

    /// Creates the table of staged stocks: their number of rows, and the first and the last day of
    /// their bars or actions.
    pub(super) fn create_staged(self) -> Option<&'static str> {
        match self {
            Self::Stocks => None,
            Self::Prices => Some(
                "CREATE TEMP TABLE staged ON COMMIT DROP AS
                 SELECT stock_id, count(*) AS rows, min(date) AS first, max(date) AS last,
                        max(line) - min(line) + 1 AS lines
                 FROM staging GROUP BY stock_id",
            ),
            Self::Actions => Some(
                "CREATE TEMP TABLE staged ON COMMIT DROP AS
                 SELECT stock_id, count(*) AS rows, min(ex_date) AS first, max(ex_date) AS last
                 FROM staging GROUP BY stock_id",
            ),
        }
    }

    /// The columns whose values no two rows of a file may share.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Stocks => "symbol, other_spelling",
            Self::Prices => "stock_id, date",
            Self::Actions => "stock_id, ex_date, kind, type",
        }
    }

    /// Whether a staged row is a dividend.
    pub(super) fn is_dividend(self) -> &'static str {
        match self {
            Self::Stocks | Self::Prices => "false",
            Self::Actions => "kind = 'dividend'",
        }
    }

    /// Merges the staged rows. Returns for each stock with changes its id, the number of added and
    /// of changed rows, and the first and the last changed day. Rows are merged in key order, so
    /// that concurrent loads wait for each other instead of deadlocking.
    ///
    /// A row of stocks whose symbol is another spelling of a stored one updates that stock, unless
    /// the file lists both spellings: then they are two stocks.
    pub(super) fn merge(self) -> &'static str {
        match self {
            Self::Stocks => {
                "WITH merged AS (
                     INSERT INTO stocks AS s (symbol, name, exchange, sector, industry, currency,
                                              market_cap, type, country, isin, cusip, figi, cik,
                                              data_version)
                     SELECT CASE count(*) OVER (PARTITION BY symbol)
                                WHEN 1 THEN symbol ELSE coalesce(other_spelling, symbol) END AS own,
                            name, exchange, sector, industry, currency, market_cap, type, country,
                            isin, cusip, figi, cik, 0
                     FROM staging ORDER BY own
                     ON CONFLICT (symbol) DO UPDATE SET
                         name = excluded.name, exchange = excluded.exchange,
                         sector = coalesce(excluded.sector, s.sector),
                         industry = coalesce(excluded.industry, s.industry),
                         currency = excluded.currency,
                         market_cap = coalesce(excluded.market_cap, s.market_cap),
                         type = coalesce(excluded.type, s.type),
                         country = coalesce(excluded.country, s.country),
                         isin = coalesce(excluded.isin, s.isin),
                         cusip = coalesce(excluded.cusip, s.cusip),
                         figi = coalesce(excluded.figi, s.figi),
                         cik = coalesce(excluded.cik, s.cik)
                     WHERE (s.name, s.exchange, s.sector, s.industry, s.currency, s.market_cap,
                            s.type, s.country, s.isin, s.cusip, s.figi, s.cik)
                           IS DISTINCT FROM
                           (excluded.name, excluded.exchange, coalesce(excluded.sector, s.sector),
                            coalesce(excluded.industry, s.industry), excluded.currency,
                            coalesce(excluded.market_cap, s.market_cap),
                            coalesce(excluded.type, s.type),
                            coalesce(excluded.country, s.country),
                            coalesce(excluded.isin, s.isin), coalesce(excluded.cusip, s.cusip),
                            coalesce(excluded.figi, s.figi), coalesce(excluded.cik, s.cik))
                     RETURNING id AS stock_id, xmax = 0 AS added)
                 SELECT stock_id, count(*) FILTER (WHERE added) AS added,
                        count(*) FILTER (WHERE NOT added) AS changed,
                        NULL::date AS first, NULL::date AS last
                 FROM merged GROUP BY stock_id"
            }
            Self::Prices => MERGE_PRICES,
            Self::Actions => {
                "WITH merged AS (
                     INSERT INTO corporate_actions AS a (
                         stock_id, ex_date, kind, type, split_from, split_to, dividend,
                         declaration_date, record_date, pay_date, frequency, is_type_stated)
                     SELECT stock_id, ex_date, kind, type, split_from, split_to, dividend,
                            declaration_date, record_date, pay_date, frequency, has_type
                     FROM staging ORDER BY stock_id, ex_date, kind, type
                     ON CONFLICT (stock_id, ex_date, kind, type) DO UPDATE SET
                         split_from = excluded.split_from, split_to = excluded.split_to,
                         dividend = excluded.dividend,
                         declaration_date = coalesce(excluded.declaration_date, a.declaration_date),
                         record_date = coalesce(excluded.record_date, a.record_date),
                         pay_date = coalesce(excluded.pay_date, a.pay_date),
                         frequency = coalesce(excluded.frequency, a.frequency),
                         -- Another amount or ratio without a type may be one of several events.
                         is_type_stated = CASE
                             WHEN (a.split_from, a.split_to, a.dividend) IS DISTINCT FROM
                                  (excluded.split_from, excluded.split_to, excluded.dividend)
                             THEN excluded.is_type_stated ELSE a.is_type_stated END
                     WHERE (a.split_from, a.split_to, a.dividend, a.declaration_date, a.record_date,
                            a.pay_date, a.frequency) IS DISTINCT FROM
                           (excluded.split_from, excluded.split_to, excluded.dividend,
                            coalesce(excluded.declaration_date, a.declaration_date),
                            coalesce(excluded.record_date, a.record_date),
                            coalesce(excluded.pay_date, a.pay_date),
                            coalesce(excluded.frequency, a.frequency))
                     RETURNING stock_id, ex_date, xmax = 0 AS added)
                 SELECT stock_id, count(*) FILTER (WHERE added) AS added,
                        count(*) FILTER (WHERE NOT added) AS changed,
                        min(ex_date) FILTER (WHERE NOT added) AS first,
                        max(ex_date) FILTER (WHERE NOT added) AS last
                 FROM merged GROUP BY stock_id"
            }
        }
    }
}
