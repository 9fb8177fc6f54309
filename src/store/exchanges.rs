//! The table `exchanges`.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::{Store, StoreFault};
use crate::market::Exchange;

impl Store {
    /// Every exchange by its code. One whose time zone is none is left out, and said so: it must not keep the others away.
    pub async fn exchanges(&self) -> Result<HashMap<String, Exchange>, StoreFault> {
        let rows = self.rows("SELECT code, time_zone, closes_at FROM exchanges", &[]).await?;
        let exchange = |row: &tokio_postgres::Row| {
            let (code, zone): (String, String) = (row.get(0), row.get(1));
            let Ok(zone) = zone.parse() else {
                tracing::error!(code, zone, "this exchange's time zone is no IANA name: New York's is used");
                return None;
            };
            Some((code, Exchange { zone, closes_at: row.get(2) }))
        };
        Ok(rows.iter().filter_map(exchange).collect())
    }

    /// The newest day with prices of each exchange that has any.
    pub async fn newest_days(&self) -> Result<Vec<(String, NaiveDate)>, StoreFault> {
        let sql = "SELECT s.exchange, max(newest.date) FROM stocks s CROSS JOIN LATERAL (
                       SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
                   ) newest
                   GROUP BY s.exchange";
        Ok(self.rows(sql, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}
