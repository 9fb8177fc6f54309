//! What was committed since: the table `revision` and the rows that drew their number from it.

use super::{StockRef, Store, StoreError};
use crate::caller::KeyId;
use crate::market::Symbol;

/// Everything that changed since a revision.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Each stock that changed: under its symbol, and under each former one by which it is still
    /// found. No symbol is there twice, and none ever goes out of use: who is meant by it may
    /// change.
    pub stocks: Vec<StockChange>,
    pub keys: Vec<KeyId>,
    /// Names of tiers.
    pub tiers: Vec<String>,
    /// The revision to ask from next time.
    pub revision: i64,
}

/// A stock, as it is found under a symbol.
#[derive(Debug, PartialEq, Eq)]
pub struct StockChange {
    pub under: Symbol,
    pub stock: StockRef,
    /// The code of its exchange.
    pub exchange: String,
}

impl Store {
    /// What changed after `revision`; after -1, everything.
    pub async fn changes_since(&self, revision: i64) -> Result<Changes, StoreError> {
        let sql = "SELECT symbol, data_version, 'stock', id, symbol, exchange FROM stocks WHERE data_version > $1
                   UNION ALL SELECT i.symbol, s.data_version, 'stock', s.id, s.symbol, s.exchange
                   FROM stocks s JOIN inherited_symbols i ON i.stock_id = s.id WHERE s.data_version > $1
                   UNION ALL SELECT id, revision, 'key', NULL, NULL, NULL FROM api_keys WHERE revision > $1
                   UNION ALL SELECT name, revision, 'tier', NULL, NULL, NULL FROM tiers WHERE revision > $1";
        let mut changes = Changes { revision, ..Changes::default() };
        for row in self.rows_beside(sql, &[&revision]).await? {
            let (name, version): (&str, i64) = (row.get(0), row.get(1));
            let broken =
                || StoreError::Corrupt(format!("{name:?} is neither a symbol nor a key id"));
            changes.revision = changes.revision.max(version);
            match row.get(2) {
                "stock" => {
                    let symbol = row.get::<_, &str>(4).parse().map_err(|_| broken())?;
                    let stock = StockRef { id: row.get(3), symbol, version };
                    let under = name.parse().map_err(|_| broken())?;
                    changes.stocks.push(StockChange { under, stock, exchange: row.get(5) });
                }
                "tier" => changes.tiers.push(name.to_owned()),
                _ => changes.keys.push(name.parse().map_err(|_| broken())?),
            }
        }
        Ok(changes)
    }
}
