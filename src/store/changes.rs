//! The changes since a revision: rows of stocks, keys, tiers and exchanges, each with the revision
//! of its last change.

use super::keys::key_id;
use super::stocks::symbol;
use super::{StockRef, Store, StoreError};
use crate::caller::KeyId;
use crate::market::Symbol;

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

impl Store {
    /// The rows that changed after `revision`; all rows for -1.
    pub async fn changes_since(&self, revision: i64) -> Result<Changes, StoreError> {
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
        let mut changes = Changes { revision, ..Changes::default() };
        for row in self.query_in_background(sql, &[&revision]).await? {
            let of_row: i64 = row.try_get("data_version")?;
            changes.revision = changes.revision.max(of_row);
            match row.try_get("kind")? {
                "stock" => changes.stocks.push(StockChange {
                    under: symbol(&row, "name")?,
                    stock: StockRef::of(&row)?,
                    exchange: row.try_get("exchange")?,
                }),
                "tier" => changes.tiers.push(row.try_get("name")?),
                "exchange" => changes.exchanges = changes.exchanges.max(Some(of_row)),
                _ => changes.keys.push(key_id(&row, "name")?),
            }
        }
        Ok(changes)
    }
}
