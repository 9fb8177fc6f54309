//! The table `kept_windows`: what instances without Redis admitted before they ended.

use super::{Params, Store, StoreError};
use crate::caller::KeyId;

/// What an instance admitted for a key: requests by their age in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWindow {
    pub instance: i64,
    pub key: KeyId,
    pub requests: Vec<(u64, u32)>,
}

impl Store {
    /// Keeps windows for the next instance that starts, in the place of those of `earlier`
    /// instances, which they contain. A retry changes nothing.
    pub async fn keep_windows(
        &self,
        windows: &[KeptWindow],
        earlier: &[i64],
    ) -> Result<(), StoreError> {
        let sql = "
            WITH gone AS (
                DELETE FROM kept_windows
                WHERE instance = ANY($1) OR kept_at < clock_timestamp() - interval '1 hour'
            )
            INSERT INTO kept_windows (instance, key_id, ages_ms, requests)
            SELECT k.instance, k.key_id, array_agg(k.age_ms), array_agg(k.requests)
            FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
                     AS k (instance, key_id, age_ms, requests)
            GROUP BY k.instance, k.key_id
            ON CONFLICT (instance, key_id) DO NOTHING";
        let cells = || {
            windows.iter().flat_map(|window| window.requests.iter().map(move |cell| (window, cell)))
        };
        let instances: Vec<_> = cells().map(|(window, _)| window.instance).collect();
        let keys: Vec<_> = cells().map(|(window, _)| window.key.to_string()).collect();
        let ages_ms: Vec<_> = cells().map(|(_, (age_ms, _))| age_ms.cast_signed()).collect();
        let requests: Vec<_> = cells().map(|(_, (_, requests))| i64::from(*requests)).collect();
        let params: Params<'_> = &[&earlier, &instances, &keys, &ages_ms, &requests];
        self.query_in_background(sql, params).await.map(drop)
    }

    /// All kept windows, with the ages that the requests have now.
    pub async fn kept_windows(&self) -> Result<Vec<KeptWindow>, StoreError> {
        let sql = "
            SELECT instance, key_id, ages_ms, requests,
                   greatest(0, extract(epoch FROM clock_timestamp() - kept_at) * 1000)::bigint
                       AS kept_ms
            FROM kept_windows";
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
            let (instance, requests) = (row.try_get("instance")?, cells.collect());
            Ok(KeptWindow { instance, key, requests })
        });
        windows.collect()
    }
}
