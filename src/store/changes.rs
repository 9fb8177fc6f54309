//! The changes since a revision: rows of stocks, keys, tiers and exchanges, each with the revision
//! of its last change.

use std::collections::HashMap;

use super::history::HistoryPosition;
use super::keys::key_id;
use super::stocks::symbol;
use super::{StockRef, Store, StoreError};
use crate::caller::KeyId;
use crate::market::{Exchange, Symbol};

/// The rows that changed since a revision.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The stocks that changed: one entry for the symbol, and one for each former symbol that still
    /// finds the stock. No symbol occurs twice. A symbol never stops finding a stock, but it may
    /// come to find another one.
    pub stocks: Vec<StockChange>,
    pub keys: Vec<KeyId>,
    /// Names of tiers.
    pub tiers: Vec<String>,
    /// The revision of the newest change of an exchange, which all content may depend on.
    pub exchanges: Option<i64>,
    /// The revision to continue from.
    pub revision: i64,
}

/// A changed stock, under a symbol that finds it.
#[derive(Debug, PartialEq, Eq)]
pub struct StockChange {
    pub under: Symbol,
    pub stock: StockRef,
    /// The code of its exchange.
    pub exchange: String,
}

/// A database whose changes an instance follows: Postgres, and its model in the simulation of the
/// cache.
pub(crate) trait ChangeSource {
    /// Where the history stands for an instance that has applied everything up to `applied`.
    async fn history_position(&self, applied: i64) -> Result<HistoryPosition, StoreError>;

    /// Records that the history went back since `seen` was read, with a revision higher than
    /// `applied`. Returns the position after it. Another instance may have recorded it first.
    async fn record_restored_history(
        &self,
        applied: i64,
        seen: HistoryPosition,
    ) -> Result<HistoryPosition, StoreError>;

    /// The rows that changed after the revision `since`; all rows for -1. `current` is the revision
    /// of a commit that this read sees, and the one to continue from.
    async fn changes_since(&self, since: i64, current: i64) -> Result<Changes, StoreError>;

    /// The exchanges by their codes.
    async fn known_exchanges(&self) -> Result<HashMap<String, Exchange>, StoreError>;
}

impl ChangeSource for Store {
    async fn history_position(&self, applied: i64) -> Result<HistoryPosition, StoreError> {
        self.read_history_position(applied).await
    }

    async fn record_restored_history(
        &self,
        applied: i64,
        seen: HistoryPosition,
    ) -> Result<HistoryPosition, StoreError> {
        self.write_restored_history(applied, seen).await
    }

    async fn known_exchanges(&self) -> Result<HashMap<String, Exchange>, StoreError> {
        self.exchanges().await
    }

    async fn changes_since(&self, since: i64, current: i64) -> Result<Changes, StoreError> {
        let sql = "
            SELECT symbol AS name, data_version, 'stock' AS kind, id, symbol, exchange
            FROM stocks WHERE data_version > $1
            UNION ALL
            SELECT i.symbol, s.data_version, 'stock', s.id, s.symbol, s.exchange
            FROM stocks s JOIN inherited_symbols i ON i.stock_id = s.id WHERE s.data_version > $1
            UNION ALL
            SELECT id, revision, 'key', NULL, NULL, NULL FROM api_keys WHERE revision > $1
            UNION ALL
            SELECT name, revision, 'tier', NULL, NULL, NULL FROM tiers WHERE revision > $1
            UNION ALL
            SELECT code, revision, 'exchange', NULL, NULL, NULL
            FROM exchanges WHERE revision > greatest($1, 0)";
        let mut changes = Changes { revision: current, ..Changes::default() };
        for row in self.query_in_background(sql, &[&since]).await? {
            match row.try_get("kind")? {
                "stock" => changes.stocks.push(StockChange {
                    under: symbol(&row, "name")?,
                    stock: StockRef::of(&row)?,
                    exchange: row.try_get("exchange")?,
                }),
                "tier" => changes.tiers.push(row.try_get("name")?),
                "exchange" => {
                    changes.exchanges = changes.exchanges.max(Some(row.try_get("data_version")?));
                }
                _ => changes.keys.push(key_id(&row, "name")?),
            }
        }
        Ok(changes)
    }
}
