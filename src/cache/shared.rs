//! The Redis tier: an entry that one instance writes is served by every instance.
//!
//! Writes run in the background. An entry that can't be read or written costs one query.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::entry::{CachedHeaders, CachedResponse, Entry, Media};
#[cfg(test)]
use super::model::RedisModel;
use crate::metrics::{self, CacheTier};
use crate::redis::Redis;

/// The version of the format of a value and of the bodies in it. A release that changes either, for
/// example by adding a field to a response, takes the next number.
///
/// A value consists of this byte, the number of the media, the lengths of two headers (u16), three
/// times in epoch milliseconds (u64), the two headers, the body and a checksum of all of it.
/// Numbers are big-endian. Only the uncompressed body is stored: compressing it again is faster
/// than fetching both.
const FORMAT: u8 = 5;
const HEAD_BYTES: usize = 1 + 1 + 2 * 2 + 3 * 8;
/// The first bytes of a BLAKE3 hash: a damaged value passes once in 2^64.
const CHECKSUM_BYTES: usize = 8;

pub struct SharedTier {
    redis: RedisOrModel,
    /// Runs the writes, which go on after the request has ended.
    runtime: Handle,
    writes: Arc<Semaphore>,
}

/// Redis, or its model in tests.
#[derive(Clone)]
pub enum RedisOrModel {
    Redis(Redis),
    #[cfg(test)]
    Model(RedisModel),
}

impl RedisOrModel {
    /// `None` if there is no value or Redis is unavailable.
    async fn get(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Redis(redis) => redis.get(name).await.ok().flatten(),
            #[cfg(test)]
            Self::Model(model) => model.get(name).await,
        }
    }

    /// Stores a value, if Redis is available.
    async fn set(&self, name: &str, value: Vec<u8>, ttl_ms: u64) {
        match self {
            Self::Redis(redis) => drop(redis.set(name, value, ttl_ms.cast_signed()).await),
            #[cfg(test)]
            Self::Model(model) => model.set(name, value, ttl_ms).await,
        }
    }
}

impl SharedTier {
    /// At most `writes_max` writes run at once, on the current runtime.
    pub fn new(redis: RedisOrModel, writes_max: usize) -> Self {
        Self { redis, runtime: Handle::current(), writes: Arc::new(Semaphore::new(writes_max)) }
    }

    /// `None` if Redis is unavailable or has no readable value.
    pub async fn get(&self, key: &str) -> Option<Entry> {
        let entry = self.redis.get(&name(key)).await.and_then(decode);
        metrics::lookup(CacheTier::Redis, entry.is_some());
        entry
    }

    /// Stores an entry for `ttl_ms` milliseconds, in the background. Skips it if too many writes
    /// are in progress.
    pub fn set(&self, key: &str, entry: &Entry, ttl_ms: u64) {
        let Ok(permit) = self.writes.clone().try_acquire_owned() else { return };
        let (redis, name, value) = (self.redis.clone(), name(key), encode(entry));
        self.runtime.spawn(async move {
            redis.set(&name, value, ttl_ms).await;
            drop(permit);
        });
    }
}

fn name(key: &str) -> String {
    format!("cache:{key}")
}

fn encode(entry: &Entry) -> Vec<u8> {
    let CachedResponse { body, media, headers } = entry.response();
    // A longer header would exceed what clients accept, so it is dropped.
    let header = |header: Option<Bytes>| {
        header.filter(|header| u16::try_from(header.len()).is_ok()).unwrap_or_default()
    };
    let headers = [header(headers.link), header(headers.unknown)];
    let headers_bytes: usize = headers.iter().map(Bytes::len).sum();
    let mut value = Vec::with_capacity(HEAD_BYTES + headers_bytes + body.len() + CHECKSUM_BYTES);
    value.extend([FORMAT, media as u8]);
    headers.iter().for_each(|header| value.extend((header.len() as u16).to_be_bytes()));
    entry.times_ms().iter().for_each(|time| value.extend(time.to_be_bytes()));
    headers.iter().for_each(|header| value.extend_from_slice(header));
    value.extend_from_slice(&body);
    value.extend(checksum(&value));
    value
}

fn checksum(value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&blake3::hash(value).as_bytes()[..CHECKSUM_BYTES]);
    checksum
}

fn decode(value: Vec<u8>) -> Option<Entry> {
    let (content, expected) = value.split_last_chunk::<CHECKSUM_BYTES>()?;
    if content.len() < HEAD_BYTES || content[0] != FORMAT || checksum(content) != *expected {
        return None;
    }
    let mut value = Bytes::from(value);
    value.truncate(value.len() - CHECKSUM_BYTES);
    let head = value.split_to(HEAD_BYTES);
    let media = *Media::ALL.get(usize::from(head[1]))?;
    let time_ms =
        |at: usize| Some(u64::from_be_bytes(head[6 + at * 8..14 + at * 8].try_into().ok()?));
    let mut header = |at: usize| {
        let length = usize::from(u16::from_be_bytes([head[2 + at * 2], head[3 + at * 2]]));
        // Copied: who keeps a header must not keep the body with it.
        (length <= value.len()).then(|| {
            let header = value.split_to(length);
            (!header.is_empty()).then(|| Bytes::copy_from_slice(&header))
        })
    };
    let headers = CachedHeaders { link: header(0)?, unknown: header(1)? };
    let response = CachedResponse { body: value, media, headers };
    Some(Entry::restored(response, time_ms(0)?, time_ms(1)?, time_ms(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::policy::Lifetime;
    use proptest::prelude::*;

    #[test]
    fn a_header_that_is_kept_does_not_keep_the_body() {
        let link = Some(Bytes::from_static(b"</next>; rel=\"next\""));
        let headers = CachedHeaders { link, unknown: None };
        let response = CachedResponse { headers, ..CachedResponse::json("{}") };
        let entry = Entry::new(response, Lifetime { fresh_s: 60, revalidate_s: 6 }, 0);
        let restored = decode(encode(&entry)).unwrap();
        let link = restored.headers.link.clone();
        let body = restored.variant(false).body.clone();
        drop(restored);
        assert!(link.is_some() && body.is_unique());
    }

    #[test]
    fn an_entry_keeps_its_times_and_tag_in_redis() {
        let link = Some(Bytes::from_static(b"</next>; rel=\"next\""));
        let response = CachedResponse {
            body: Bytes::from_static(b"a\n1\n"),
            media: Media::Csv,
            headers: CachedHeaders { link, unknown: None },
        };
        let lifetime = Lifetime { fresh_s: 60, revalidate_s: 6 };
        let entry = Entry::new(response.clone(), lifetime, 1000);
        let decoded = decode(encode(&entry)).unwrap();
        assert_eq!(decoded.times_ms(), [1000, 61_000, 67_000]);
        assert_eq!(decoded.response(), response);
        assert_eq!(decoded.variant(false).etag, entry.variant(false).etag);
    }

    #[test]
    fn a_value_of_another_version_is_not_read() {
        for value in
            [vec![], vec![FORMAT; HEAD_BYTES - 1], vec![FORMAT + 1; 100], vec![FORMAT; 100]]
        {
            assert!(decode(value).is_none());
        }
    }

    proptest! {
        #[test]
        fn any_response_is_decoded_as_it_was_encoded(
            body in prop::collection::vec(any::<u8>(), 0..200),
            media in prop::sample::select(&Media::ALL),
            headers in prop::array::uniform2(prop::option::of("[ -~]{1,300}")),
            times: [u32; 3]
        ) {
            let [link, unknown] = headers.map(|header| header.map(Bytes::from));
            let headers = CachedHeaders { link, unknown };
            let response = CachedResponse { body: body.into(), media, headers };
            let times = times.map(u64::from);
            let entry = Entry::restored(response.clone(), times[0], times[1], times[2]);
            let decoded = decode(encode(&entry)).unwrap();
            prop_assert_eq!((decoded.response(), decoded.times_ms()), (response, times));
        }

        #[test]
        fn a_damaged_value_is_never_decoded(
            body in prop::collection::vec(any::<u8>(), 0..200),
            at: prop::sample::Index,
            bits in 1u8..,
            cut: bool
        ) {
            let headers = CachedHeaders { link: None, unknown: None };
            let response = CachedResponse { body: body.into(), media: Media::Csv, headers };
            let mut value = encode(&Entry::restored(response, 1, 2, 3));
            let at = at.index(value.len());
            if cut {
                value.truncate(at);
            } else {
                value[at] ^= bits;
            }
            prop_assert!(decode(value).is_none());
        }

        #[test]
        fn any_bytes_are_decoded_or_rejected_without_a_panic(
            mut value in prop::collection::vec(any::<u8>(), 0..100),
            is_format: bool,
            lengths in prop::array::uniform2(0u8..60)
        ) {
            // The headers may be longer than the value.
            if is_format && value.len() >= 6 {
                value[..6].copy_from_slice(&[FORMAT, 0, 0, lengths[0], 0, lengths[1]]);
                value.extend(checksum(&value));
            }
            if let Some(entry) = decode(value.clone()) {
                prop_assert_eq!(encode(&entry), value);
            }
        }
    }
}
