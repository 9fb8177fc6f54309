//! The table `exchanges`.

use std::collections::HashMap;

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

    /// Each exchange with prices, and when the regular session of its newest day ended, in epoch seconds.
    pub async fn newest_days(&self) -> Result<Vec<(String, i64)>, StoreFault> {
        let sql = "SELECT e.code,
                          extract(epoch FROM (max(newest.date) + min(e.closes_at)) AT TIME ZONE e.time_zone)::bigint
                   FROM exchanges e JOIN stocks s ON s.exchange = e.code CROSS JOIN LATERAL (
                       SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
                   ) newest
                   GROUP BY e.code, e.time_zone";
        Ok(self.rows(sql, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}
