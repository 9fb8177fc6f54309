//! The Redis tier: answers that one instance made and every instance may serve.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::Entry;
use crate::metrics::{self, CacheTier};
use crate::redis::Redis;

/// The layout of a value, and what is in the answers: a release that adds a field to one takes the next number.
/// This byte, three times in epoch milliseconds (u64, big-endian), the bytes of the answer.
/// Only the identity encoding is kept: gzip is made again in less time than it would take to fetch both.
const FORMAT: u8 = 2;
const HEAD_BYTES: usize = 1 + 3 * 8;

pub struct SharedTier {
    redis: Redis,
    /// Where writes run on, after the request that made the answer is done.
    runtime: Handle,
    writes: Arc<Semaphore>,
}

impl SharedTier {
    /// Writes run on the runtime that this is called on, at most `writes_max` at once.
    pub fn new(redis: Redis, writes_max: usize) -> Self {
        Self { redis, runtime: Handle::current(), writes: Arc::new(Semaphore::new(writes_max)) }
    }

    /// `None` where Redis has nothing, or nothing that can be read, or is not to be had.
    pub async fn get(&self, key: &str) -> Option<Entry> {
        let entry = self.redis.get(&name(key)).await.ok().flatten().and_then(decode);
        metrics::lookup(CacheTier::Redis, entry.is_some());
        entry
    }

    /// Stores an answer for `keep_ms` milliseconds, in the background: nobody waits for it, and where too many are
    /// on their way it is left out.
    pub fn set(&self, key: &str, entry: &Entry, keep_ms: u64) {
        let Ok(place) = self.writes.clone().try_acquire_owned() else { return };
        let (redis, name, value) = (self.redis.clone(), name(key), encode(entry));
        self.runtime.spawn(async move {
            // A lost write costs one query later.
            let _ = redis.set(&name, value, keep_ms.cast_signed()).await;
            drop(place);
        });
    }
}

fn name(key: &str) -> String {
    format!("cache:{key}")
}

fn encode(entry: &Entry) -> Vec<u8> {
    let body = &entry.variant(false).body;
    let mut value = Vec::with_capacity(HEAD_BYTES + body.len());
    value.push(FORMAT);
    entry.times_ms().iter().for_each(|time| value.extend(time.to_be_bytes()));
    value.extend_from_slice(body);
    value
}

fn decode(value: Vec<u8>) -> Option<Entry> {
    let value = Bytes::from(value);
    if value.len() < HEAD_BYTES || value[0] != FORMAT {
        return None;
    }
    let time_ms = |at: usize| Some(u64::from_be_bytes(value[1 + at * 8..9 + at * 8].try_into().ok()?));
    Some(Entry::stored(value.slice(HEAD_BYTES..), time_ms(0)?, time_ms(1)?, time_ms(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Lifetime;

    #[test]
    fn an_answer_survives_the_way_through_redis_with_its_times_and_tag() {
        let entry = Entry::new(Bytes::from_static(b"{\"a\":1}"), Lifetime { fresh_s: 60, revalidate_s: 6 }, 1000);
        let back = decode(encode(&entry)).unwrap();
        assert_eq!(back.times_ms(), [1000, 61_000, 67_000]);
        assert_eq!(back.variant(false).body, entry.variant(false).body);
        assert_eq!(back.variant(false).etag, entry.variant(false).etag);
    }

    #[test]
    fn what_another_version_wrote_is_no_answer() {
        for value in [vec![], vec![FORMAT; HEAD_BYTES - 1], vec![FORMAT + 1; 100]] {
            assert!(decode(value).is_none());
        }
    }
}
