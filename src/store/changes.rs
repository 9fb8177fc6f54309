//! What was committed since: the table `revision` and the rows that drew their number from it.

use super::{Store, StoreFault};
use crate::caller::KeyId;
use crate::market::Symbol;

/// Everything that changed since a revision.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Symbol, data version and exchange of each stock that changed: under its symbol, and under each former one by
    /// which it is still found. No symbol is there twice, and none ever goes out of use: who is meant by it may change.
    pub stocks: Vec<(Symbol, i64, String)>,
    pub keys: Vec<KeyId>,
    /// Names of tiers.
    pub tiers: Vec<String>,
    /// The revision to ask from next time.
    pub revision: i64,
}

impl Store {
    /// What changed after `revision`; after -1, everything.
    pub async fn changes_since(&self, revision: i64) -> Result<Changes, StoreFault> {
        let sql = "SELECT symbol, data_version, exchange, false FROM stocks WHERE data_version > $1
                   UNION ALL SELECT i.symbol, s.data_version, s.exchange, false
                   FROM stocks s JOIN inherited_symbols i ON i.stock_id = s.id WHERE s.data_version > $1
                   UNION ALL SELECT id, revision, NULL, false FROM api_keys WHERE revision > $1
                   UNION ALL SELECT name, revision, NULL, true FROM tiers WHERE revision > $1";
        let mut changes = Changes { revision, ..Changes::default() };
        for row in self.rows(sql, &[&revision]).await? {
            let (name, version): (&str, i64) = (row.get(0), row.get(1));
            let broken = || StoreFault::Broken(format!("{name:?} is neither a symbol nor a key id"));
            changes.revision = changes.revision.max(version);
            match row.get::<_, Option<String>>(2) {
                Some(exchange) => changes.stocks.push((name.parse().map_err(|_| broken())?, version, exchange)),
                None if row.get(3) => changes.tiers.push(name.to_owned()),
                None => changes.keys.push(name.parse().map_err(|_| broken())?),
            }
        }
        Ok(changes)
    }
}
