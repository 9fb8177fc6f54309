//! The table `exchanges`.

use std::collections::HashMap;

use super::{Store, StoreFault};
use crate::market::Exchange;

impl Store {
    /// Every exchange by its code.
    pub async fn exchanges(&self) -> Result<HashMap<String, Exchange>, StoreFault> {
        let rows = self.rows("SELECT code, time_zone, closes_at FROM exchanges", &[]).await?;
        let exchange = |row: &tokio_postgres::Row| {
            let (code, zone): (String, String) = (row.get(0), row.get(1));
            let zone = zone.parse().map_err(|_| {
                StoreFault::Broken(format!("exchange {code} has the time zone {zone:?}, expected an IANA name"))
            })?;
            Ok((code, Exchange { zone, closes_at: row.get(2) }))
        };
        rows.iter().map(exchange).collect()
    }
}
