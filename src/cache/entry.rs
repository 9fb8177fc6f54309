//! A cache entry: one response with its encodings, entity tags and times.
//!
//! The body is stored uncompressed. The gzip variant is made on first use, and kept only if it
//! halves the size. Each variant has a strong entity tag of its own. All times are epoch
//! milliseconds.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::policy::Lifetime;
use crate::clock::is_ahead;

/// Smaller bodies fit into one packet, so compression gains nothing.
const GZIP_BYTES_MIN: usize = 1024;
/// The bytes that TCP sends before the first acknowledgement: 10 segments of 1460 bytes (RFC 6928).
///
/// A larger body arrives sooner if it is compressed first. A smaller one is compressed on its
/// second request.
const FIRST_FLIGHT_BYTES: usize = 14_600;
/// How long one request may take to refresh an entry before another one tries.
const REFRESH_CLAIM_MS: u64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
}

/// The format of a body. The order of the variants is part of the format in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Json,
    Csv,
    Ndjson,
    Svg,
}

impl Media {
    pub const ALL: [Self; 4] = [Self::Json, Self::Csv, Self::Ndjson, Self::Svg];

    /// The gzip level that is worth its time. Repeated names make JSON small at level 1. Rows of
    /// numbers shrink to 60 % there, and to 40 % at level 2 in 1.5 times the time.
    pub fn gzip_level(self) -> Compression {
        Compression::new(if self == Self::Json { 1 } else { 2 })
    }
}

/// The part of a response that is the same for all clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedResponse {
    pub body: Bytes,
    pub media: Media,
    pub headers: CachedHeaders,
}

/// Values of the headers that are cached with a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedHeaders {
    /// `Link`: the URL of the next page.
    pub link: Option<Bytes>,
    /// `X-Unknown-Symbols`: the requested symbols that no stock has.
    pub unknown: Option<Bytes>,
}

impl CachedHeaders {
    fn bytes(&self) -> usize {
        [&self.link, &self.unknown].into_iter().flatten().map(Bytes::len).sum()
    }
}

impl CachedResponse {
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), media: Media::Json, headers: CachedHeaders::default() }
    }
}

/// The bytes of one encoding, and their strong entity tag (RFC 9110, 8.8.3).
#[derive(Debug, Clone)]
pub struct Variant {
    pub body: Bytes,
    pub etag: Bytes,
    pub encoding: Encoding,
}

#[derive(Debug)]
pub struct Entry {
    pub media: Media,
    pub headers: CachedHeaders,
    identity: Variant,
    gzip_etag: Bytes,
    /// Made on first use. Holds `None` if gzip does not halve the size.
    gzip: OnceLock<Option<Variant>>,
    stored_at_ms: u64,
    fresh_until_ms: u64,
    revalidate_until_ms: u64,
    refresh_claimed_until_ms: AtomicU64,
    in_redis: AtomicBool,
}

impl Entry {
    /// A new entry, which is not in Redis yet.
    pub fn new(response: CachedResponse, lifetime: Lifetime, now_ms: u64) -> Self {
        let fresh_until_ms = now_ms + u64::from(lifetime.fresh_s) * 1000;
        let revalidate_until_ms = fresh_until_ms + u64::from(lifetime.revalidate_s) * 1000;
        let entry = Self::restored(response, now_ms, fresh_until_ms, revalidate_until_ms);
        Self { in_redis: AtomicBool::new(false), ..entry }
    }

    /// An entry that is not to be written to Redis.
    pub(super) fn restored(
        response: CachedResponse,
        stored_at_ms: u64,
        fresh_until_ms: u64,
        revalidate_until_ms: u64,
    ) -> Self {
        let CachedResponse { body, media, headers } = response;
        // 64 bits of BLAKE3 suffice to tell the responses of one URL apart.
        let hash = blake3::hash(&body).to_hex();
        let etag = format!("\"{}\"", &hash[..16]);
        let gzip_etag = format!("\"{}-gz\"", &hash[..16]);
        Self {
            media,
            headers,
            identity: Variant { body, etag: etag.into(), encoding: Encoding::Identity },
            gzip_etag: gzip_etag.into(),
            gzip: OnceLock::new(),
            stored_at_ms,
            fresh_until_ms,
            revalidate_until_ms,
            refresh_claimed_until_ms: AtomicU64::new(0),
            in_redis: AtomicBool::new(true),
        }
    }

    /// The variant to send: gzip if the client accepts it and it halves the size.
    pub fn variant(&self, accepts_gzip: bool) -> &Variant {
        let gzip = || self.gzip.get_or_init(|| self.compress()).as_ref();
        accepts_gzip.then(gzip).flatten().unwrap_or(&self.identity)
    }

    /// The variant to send to the request that made the entry.
    pub fn first_variant(&self, accepts_gzip: bool) -> &Variant {
        self.variant(accepts_gzip && self.identity.body.len() > FIRST_FLIGHT_BYTES)
    }

    /// The entity tag of the gzip variant, which need not exist yet.
    pub fn gzip_etag(&self) -> &Bytes {
        &self.gzip_etag
    }

    /// The gzip variant, if it halves the size.
    fn compress(&self) -> Option<Variant> {
        let plain = &self.identity.body;
        if plain.len() < GZIP_BYTES_MIN {
            return None;
        }
        let mut encoder =
            GzEncoder::new(Vec::with_capacity(plain.len() / 2), self.media.gzip_level());
        encoder.write_all(plain).ok()?;
        let body = encoder.finish().ok().filter(|body| body.len() <= plain.len() / 2)?;
        // A boxed slice frees the unused capacity, which `size_bytes` does not count.
        let body = body.into_boxed_slice().into();
        Some(Variant { body, etag: self.gzip_etag.clone(), encoding: Encoding::Gzip })
    }

    pub fn is_fresh(&self, now_ms: u64) -> bool {
        is_ahead(self.fresh_until_ms, now_ms, self.fresh_until_ms.saturating_sub(self.stored_at_ms))
    }

    /// Seconds since the response was made.
    pub fn age_s(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.stored_at_ms) / 1000
    }

    /// Seconds for which the entry stays fresh.
    pub fn fresh_for_s(&self, now_ms: u64) -> u64 {
        self.fresh_until_ms.saturating_sub(now_ms.max(self.stored_at_ms)) / 1000
    }

    /// An upper bound of the memory that the entry takes. A gzip variant adds half at most.
    pub fn size_bytes(&self) -> u64 {
        (self.identity.body.len() * 3 / 2 + self.headers.bytes() + size_of::<Self>() + 64) as u64
    }

    pub(super) fn response(&self) -> CachedResponse {
        CachedResponse {
            body: self.identity.body.clone(),
            media: self.media,
            headers: self.headers.clone(),
        }
    }

    pub(super) fn may_be_served_while_revalidating(&self, now_ms: u64) -> bool {
        is_ahead(
            self.revalidate_until_ms,
            now_ms,
            self.revalidate_until_ms.saturating_sub(self.stored_at_ms),
        )
    }

    pub(super) fn fresh_until_ms(&self) -> u64 {
        self.fresh_until_ms
    }

    /// When the entry was stored, until when it is fresh, and until when it may be revalidated.
    pub(super) fn times_ms(&self) -> [u64; 3] {
        [self.stored_at_ms, self.fresh_until_ms, self.revalidate_until_ms]
    }

    /// True once per entry: the caller writes it to Redis. False if it came from Redis.
    pub(super) fn claim_redis_write(&self) -> bool {
        !self.in_redis.load(Ordering::Relaxed) && !self.in_redis.swap(true, Ordering::Relaxed)
    }

    /// True for the one request that refreshes the entry. A claim expires, so a client that
    /// disconnects does not block the others.
    pub(super) fn claim_refresh(&self, now_ms: u64) -> bool {
        let claimed_until_ms = self.refresh_claimed_until_ms.load(Ordering::Relaxed);
        !is_ahead(claimed_until_ms, now_ms, REFRESH_CLAIM_MS)
            && self
                .refresh_claimed_until_ms
                .compare_exchange(
                    claimed_until_ms,
                    now_ms + REFRESH_CLAIM_MS,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// The same stale entry, which no request tries to refresh until `until_ms`.
    pub(super) fn without_refresh_until(&self, until_ms: u64) -> Self {
        let [stored_at_ms, fresh_until_ms, _] = self.times_ms();
        let stale = Self::restored(self.response(), stored_at_ms, fresh_until_ms, until_ms);
        stale.refresh_claimed_until_ms.store(until_ms, Ordering::Relaxed);
        stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    const LIFETIME: Lifetime = Lifetime { fresh_s: 60, revalidate_s: 6 };

    fn entry(body: impl Into<Bytes>, now_ms: u64) -> Entry {
        Entry::new(CachedResponse::json(body), LIFETIME, now_ms)
    }

    #[test]
    fn each_encoding_has_its_own_strong_tag_and_the_same_content() {
        let text = "{\"close\":27.95},".repeat(500);
        let entry = entry(text.clone(), 0);
        let (identity, gzip) = (entry.variant(false), entry.variant(true));
        assert_eq!((identity.encoding, gzip.encoding), (Encoding::Identity, Encoding::Gzip));
        assert_ne!(identity.etag, gzip.etag);
        let mut decompressed = String::new();
        flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut decompressed).unwrap();
        assert_eq!(decompressed, text);
        assert!((identity.body.len() + gzip.body.len()) as u64 <= entry.size_bytes());
    }

    #[test]
    fn a_body_that_gzip_does_not_halve_is_sent_uncompressed() {
        let noise: Vec<u8> =
            (0..4096u32).flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
        for body in [Bytes::from_static(b"{}"), noise.into()] {
            assert_eq!(entry(body, 0).variant(true).encoding, Encoding::Identity);
        }
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_entry_fresh_for_longer() {
        let (made_ms, hour_ms) = (10 * 3_600_000, 3_600_000);
        let entry = entry(Bytes::new(), made_ms);
        assert!(entry.is_fresh(made_ms));
        assert!(entry.is_fresh(made_ms + 59_999));
        assert!(!entry.is_fresh(made_ms + 60_000));
        // The clock of another instance may be 5 s behind.
        assert!(entry.is_fresh(made_ms - 5000));
        assert_eq!(entry.fresh_for_s(made_ms - 5000), 60);
        assert!(!entry.is_fresh(made_ms - hour_ms));
        assert!(!entry.may_be_served_while_revalidating(made_ms - hour_ms));
        assert!(entry.claim_refresh(made_ms));
        assert!(!entry.claim_refresh(made_ms));
        assert!(entry.claim_refresh(made_ms - hour_ms));
    }

    #[test]
    fn another_request_may_refresh_an_entry_once_the_first_takes_too_long() {
        let entry = entry(Bytes::new(), 0);
        assert!(entry.claim_refresh(60_000));
        assert!(!entry.claim_refresh(69_999));
        assert!(entry.claim_refresh(70_000));
    }
}
