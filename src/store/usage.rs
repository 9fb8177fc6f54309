//! The tables `key_usage` and `usage_batches`.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::Row;

use super::{Params, Store, StoreError};
use crate::caller::KeyId;

/// The use of one route by one key.
#[derive(Debug, Clone)]
pub struct UsageRow {
    pub key: KeyId,
    pub route: &'static str,
    pub requests: i64,
    pub refusals: i64,
    pub cache_hits: i64,
    pub bytes: i64,
    pub last_used_at: DateTime<Utc>,
}

/// Rows of one process and one day, with a sequence number.
pub struct UsageBatch {
    pub instance: i64,
    pub sequence: i64,
    pub day: NaiveDate,
    pub rows: Vec<UsageRow>,
}

/// Filters usage by days (UTC, both included), and by key or owner.
#[derive(Debug, Clone, Default)]
pub struct UsageFilter {
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub key: Option<KeyId>,
    pub owner: Option<String>,
}

/// What totals are grouped by.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsageBy {
    pub day: bool,
    pub key: bool,
    pub owner: bool,
    pub route: bool,
}

/// The usage of one group. Columns that totals are not grouped by are `None`.
#[derive(Debug)]
pub struct UsageRecord {
    /// In UTC.
    pub day: Option<NaiveDate>,
    /// The id of a key.
    pub key: Option<String>,
    pub owner: Option<String>,
    /// The pattern of a path.
    pub route: Option<String>,
    /// All requests, with any response.
    pub requests: i64,
    /// The requests over the limit (429).
    pub refusals: i64,
    /// The requests that were answered from the cache.
    pub cache_hits: i64,
    /// The bytes of response bodies, as sent.
    pub bytes: i64,
    pub last_used_at: DateTime<Utc>,
}

impl Store {
    /// Stores a batch, unless it is stored already. Rows of keys that no longer exist are left out:
    /// they would block all others for ever.
    pub async fn add_usage(&self, batch: &UsageBatch) -> Result<(), StoreError> {
        let sql = "
            WITH batch AS (
                INSERT INTO usage_batches AS b (instance, sequence) VALUES ($1, $2)
                ON CONFLICT (instance) DO UPDATE
                SET sequence = excluded.sequence, stored_at = now()
                WHERE b.sequence < excluded.sequence
                RETURNING instance
            ), ended AS (
                DELETE FROM usage_batches
                WHERE instance <> $1 AND stored_at < now() - interval '30 days'
            )
            INSERT INTO key_usage AS u
                (key_id, day, route, requests, refusals, cache_hits, bytes, last_used_at)
            SELECT k.id, $3::date, r.route, r.requests, r.refusals, r.cache_hits, r.bytes,
                   r.last_used_at
            FROM batch, unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
                               $9::bigint[], $10::timestamptz[])
                     AS r (key_id, route, requests, refusals, cache_hits, bytes, last_used_at)
            JOIN api_keys k ON k.id = r.key_id
            -- The same order on all instances avoids deadlocks.
            ORDER BY k.id, r.route
            ON CONFLICT (key_id, day, route) DO UPDATE SET
                requests = u.requests + excluded.requests,
                refusals = u.refusals + excluded.refusals,
                cache_hits = u.cache_hits + excluded.cache_hits,
                bytes = u.bytes + excluded.bytes,
                last_used_at = greatest(u.last_used_at, excluded.last_used_at)";
        let rows = &batch.rows;
        let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
        let routes: Vec<_> = rows.iter().map(|row| row.route).collect();
        let column = |count: fn(&UsageRow) -> i64| rows.iter().map(count).collect::<Vec<_>>();
        let requests = column(|row| row.requests);
        let refusals = column(|row| row.refusals);
        let cache_hits = column(|row| row.cache_hits);
        let bytes = column(|row| row.bytes);
        let last_used_at: Vec<_> = rows.iter().map(|row| row.last_used_at).collect();
        let params: Params<'_> = &[
            &batch.instance,
            &batch.sequence,
            &batch.day,
            &keys,
            &routes,
            &requests,
            &refusals,
            &cache_hits,
            &bytes,
            &last_used_at,
        ];
        // A retry is safe: the sequence number keeps a batch from being stored twice.
        self.query_in_background(sql, params).await.map(drop)
    }

    /// The requests of a key on a day (UTC) that instances have stored so far.
    pub async fn requests_of_day(&self, key: KeyId, day: NaiveDate) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(sum(requests), 0)::bigint AS requests FROM key_usage
                   WHERE key_id = $1 AND day = $2";
        let rows = self.query(sql, &[&key.as_str(), &day]).await?;
        rows.first().map_or(Ok(0), |row| Ok(row.try_get("requests")?))
    }

    /// Totals, newest day first.
    pub async fn usage(
        &self,
        filter: &UsageFilter,
        by: UsageBy,
    ) -> Result<Vec<UsageRecord>, StoreError> {
        let sql = "
            SELECT CASE WHEN $5 THEN u.day END AS day, CASE WHEN $6 THEN u.key_id END AS key,
                   CASE WHEN $7 THEN k.owner END AS owner, CASE WHEN $8 THEN u.route END AS route,
                   sum(u.requests)::bigint AS requests, sum(u.refusals)::bigint AS refusals,
                   sum(u.cache_hits)::bigint AS cache_hits, sum(u.bytes)::bigint AS bytes,
                   max(u.last_used_at) AS last_used_at
            FROM key_usage u JOIN api_keys k ON k.id = u.key_id
            WHERE u.day BETWEEN $1 AND $2 AND ($3::text IS NULL OR u.key_id = $3)
              AND ($4::text IS NULL OR k.owner = $4)
            GROUP BY 1, 2, 3, 4
            ORDER BY 1 DESC, 3, 2, 4";
        let UsageFilter { start, end, key, owner } = filter;
        let key = key.as_ref().map(KeyId::as_str);
        let params: Params<'_> = &[start, end, &key, owner, &by.day, &by.key, &by.owner, &by.route];
        self.query(sql, params).await?.iter().map(usage_record).collect()
    }
}

fn usage_record(row: &Row) -> Result<UsageRecord, StoreError> {
    Ok(UsageRecord {
        day: row.try_get("day")?,
        key: row.try_get("key")?,
        owner: row.try_get("owner")?,
        route: row.try_get("route")?,
        requests: row.try_get("requests")?,
        refusals: row.try_get("refusals")?,
        cache_hits: row.try_get("cache_hits")?,
        bytes: row.try_get("bytes")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}
