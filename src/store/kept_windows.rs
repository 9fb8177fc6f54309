//! The table `kept_windows`: what instances without Redis admitted before they ended.

use super::{Store, StoreError};
use crate::caller::KeyId;

/// What one instance admitted for a key: requests by their age in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWindow {
    pub key: KeyId,
    pub requests: Vec<(u64, u32)>,
}

impl Store {
    /// Keeps windows for the next instance that starts. A retry adds nothing.
    pub async fn keep_windows(
        &self,
        instance: i64,
        windows: &[KeptWindow],
    ) -> Result<(), StoreError> {
        let sql = "
            INSERT INTO kept_windows (instance, key_id, ages_ms, requests)
            SELECT $1, k.key_id, array_agg(k.age_ms), array_agg(k.requests)
            FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS k (key_id, age_ms, requests)
            GROUP BY k.key_id
            ON CONFLICT (instance, key_id) DO NOTHING";
        let cells = || {
            windows
                .iter()
                .flat_map(|of| of.requests.iter().map(|(age_ms, n)| (of.key, *age_ms, *n)))
        };
        let keys: Vec<_> = cells().map(|(key, ..)| key.to_string()).collect();
        let ages_ms: Vec<_> = cells().map(|(_, age_ms, _)| age_ms.cast_signed()).collect();
        let requests: Vec<_> = cells().map(|(.., requests)| i64::from(requests)).collect();
        self.query_in_background(sql, &[&instance, &keys, &ages_ms, &requests]).await.map(drop)
    }

    /// Takes all kept windows, with the ages that the requests have now.
    pub async fn take_kept_windows(&self) -> Result<Vec<KeptWindow>, StoreError> {
        let sql = "
            DELETE FROM kept_windows
            RETURNING key_id, ages_ms, requests,
                      greatest(0, extract(epoch FROM clock_timestamp() - kept_at) * 1000)::bigint
                          AS kept_ms";
        let rows = self.query_in_background(sql, &[]).await?;
        let windows = rows.iter().map(|row| {
            let key: &str = row.try_get("key_id")?;
            let key = key.parse().map_err(|_| StoreError::Corrupt(format!("key_id {key:?}")))?;
            let kept_ms: i64 = row.try_get("kept_ms")?;
            let ages_ms: Vec<i64> = row.try_get("ages_ms")?;
            let requests: Vec<i64> = row.try_get("requests")?;
            let cells = ages_ms.iter().zip(requests).map(|(age_ms, requests)| {
                let requests = u32::try_from(requests).unwrap_or(u32::MAX);
                ((age_ms + kept_ms).unsigned_abs(), requests)
            });
            Ok(KeptWindow { key, requests: cells.collect() })
        });
        windows.collect()
    }
}
