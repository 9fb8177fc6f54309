//! One ready answer: its bytes in each encoding, its tags, its times.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Lifetime;
use crate::clock::is_ahead;

/// Below this a packet holds it anyway.
const GZIP_BYTES_MIN: usize = 1024;
/// About what TCP sends before it waits for the first acknowledgement: 10 segments of 1460 bytes
/// (RFC 6928). What is larger arrives sooner packed, though packing takes time; what is smaller is
/// packed when it is asked for again.
const FIRST_FLIGHT_BYTES: usize = 14_600;
/// How long one request may take to refresh an answer before another one tries.
const REFRESH_CLAIM_MS: u64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
}

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Json,
    Csv,
    Ndjson,
    Svg,
}

impl Media {
    pub const ALL: [Self; 4] = [Self::Json, Self::Csv, Self::Ndjson, Self::Svg];

    /// How hard it is worth packing. Names that repeat make JSON a third in the least time there
    /// is; rows of numbers alone come to 60 % in that time, and to 40 % in one and a half times it.
    pub fn gzip_level(self) -> Compression {
        Compression::new(if self == Self::Json { 1 } else { 2 })
    }
}

/// An answer as it is kept: whatever of it doesn't depend on who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub body: Bytes,
    pub media: Media,
    pub notes: CachedHeaders,
}

/// What is said beside a body, each as the value of a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedHeaders {
    /// Where the next page is.
    pub link: Option<Bytes>,
    /// The symbols of the question that no stock has.
    pub unknown: Option<Bytes>,
}

impl CachedHeaders {
    fn bytes(&self) -> usize {
        [&self.link, &self.unknown].into_iter().flatten().map(Bytes::len).sum()
    }
}

impl Answer {
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), media: Media::Json, notes: CachedHeaders::default() }
    }
}

/// The bytes to send, and the strong entity tag of exactly these bytes (RFC 9110, 8.8.3).
#[derive(Debug, Clone)]
pub struct Variant {
    pub body: Bytes,
    pub etag: Bytes,
    pub encoding: Encoding,
}

#[derive(Debug)]
pub struct Entry {
    pub media: Media,
    pub notes: CachedHeaders,
    identity: Variant,
    gzip_etag: Bytes,
    /// Made when it is first asked for. `None` inside: not worth it.
    gzip: OnceLock<Option<Variant>>,
    stored_at_ms: u64,
    fresh_until_ms: u64,
    revalidate_until_ms: u64,
    refresh_claimed_until_ms: AtomicU64,
    shared: AtomicBool,
}

impl Entry {
    pub fn new(answer: Answer, lifetime: Lifetime, now_ms: u64) -> Self {
        let fresh_until_ms = now_ms + u64::from(lifetime.fresh_s) * 1000;
        let revalidate_until_ms = fresh_until_ms + u64::from(lifetime.revalidate_s) * 1000;
        let made_here = Self::stored(answer, now_ms, fresh_until_ms, revalidate_until_ms);
        Self { shared: AtomicBool::new(false), ..made_here }
    }

    /// One that is not new: it needs no writing to Redis.
    pub(super) fn stored(
        answer: Answer,
        stored_at_ms: u64,
        fresh_until_ms: u64,
        revalidate_until_ms: u64,
    ) -> Self {
        let Answer { body, media, notes } = answer;
        // 64 bits of BLAKE3: answers of one URL are told apart, nothing is kept secret by it.
        let hash = blake3::hash(&body).to_hex();
        let (etag, gzip_etag) = (format!("\"{}\"", &hash[..16]), format!("\"{}-gz\"", &hash[..16]));
        Self {
            media,
            notes,
            identity: Variant { body, etag: etag.into(), encoding: Encoding::Identity },
            gzip_etag: gzip_etag.into(),
            gzip: OnceLock::new(),
            stored_at_ms,
            fresh_until_ms,
            revalidate_until_ms,
            refresh_claimed_until_ms: AtomicU64::new(0),
            shared: AtomicBool::new(true),
        }
    }

    /// The answer in the encoding that suits: gzip where it is accepted and halves the size.
    pub fn variant(&self, accepts_gzip: bool) -> &Variant {
        let gzip = || self.gzip.get_or_init(|| self.packed()).as_ref();
        accepts_gzip.then(gzip).flatten().unwrap_or(&self.identity)
    }

    /// The same for the request that the answer was made for.
    pub fn first_variant(&self, accepts_gzip: bool) -> &Variant {
        self.variant(accepts_gzip && self.identity.body.len() > FIRST_FLIGHT_BYTES)
    }

    /// The tag of the gzip variant, made or not.
    pub fn gzip_etag(&self) -> &Bytes {
        &self.gzip_etag
    }

    /// Gzip, where it is worth it.
    fn packed(&self) -> Option<Variant> {
        let plain = &self.identity.body;
        if plain.len() < GZIP_BYTES_MIN {
            return None;
        }
        let mut encoder =
            GzEncoder::new(Vec::with_capacity(plain.len() / 2), self.media.gzip_level());
        encoder.write_all(plain).ok()?;
        let body = encoder.finish().ok().filter(|body| body.len() <= plain.len() / 2)?;
        // Shrunk, since it stays: the weight counts what is used.
        let body = body.into_boxed_slice().into();
        Some(Variant { body, etag: self.gzip_etag.clone(), encoding: Encoding::Gzip })
    }

    pub fn is_fresh(&self, now_ms: u64) -> bool {
        is_ahead(self.fresh_until_ms, now_ms, self.fresh_until_ms.saturating_sub(self.stored_at_ms))
    }

    /// Seconds since the answer was made.
    pub fn age_s(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.stored_at_ms) / 1000
    }

    /// Seconds for which the answer stays fresh.
    pub fn fresh_for_s(&self, now_ms: u64) -> u64 {
        self.fresh_until_ms.saturating_sub(now_ms.max(self.stored_at_ms)) / 1000
    }

    /// Bytes of memory at most, the gzip variant included: it is kept only where it halves the
    /// size.
    pub fn weight_bytes(&self) -> u64 {
        (self.identity.body.len() * 3 / 2 + self.notes.bytes() + size_of::<Self>() + 64) as u64
    }

    /// What it was made of.
    pub(super) fn answer(&self) -> Answer {
        Answer { body: self.identity.body.clone(), media: self.media, notes: self.notes.clone() }
    }

    pub(super) fn may_be_shown_while_revalidating(&self, now_ms: u64) -> bool {
        is_ahead(
            self.revalidate_until_ms,
            now_ms,
            self.revalidate_until_ms.saturating_sub(self.stored_at_ms),
        )
    }

    pub(super) fn expired_at_ms(&self) -> u64 {
        self.fresh_until_ms
    }

    pub(super) fn times_ms(&self) -> [u64; 3] {
        [self.stored_at_ms, self.fresh_until_ms, self.revalidate_until_ms]
    }

    /// True once: for the first request that finds here what this process made, and is to write it
    /// to Redis.
    pub(super) fn claim_sharing(&self) -> bool {
        !self.shared.load(Ordering::Relaxed) && !self.shared.swap(true, Ordering::Relaxed)
    }

    /// True for the one request that is to refresh the answer. A claim runs out by itself, so that
    /// a client that hangs up doesn't block the others.
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

    /// The same stale answer, to be shown to everybody until `until_ms` without a try to refresh
    /// it.
    pub(super) fn retry_after(&self, until_ms: u64) -> Self {
        let [stored_at_ms, fresh_until_ms, _] = self.times_ms();
        let rested = Self::stored(self.answer(), stored_at_ms, fresh_until_ms, until_ms);
        rested.refresh_claimed_until_ms.store(until_ms, Ordering::Relaxed);
        rested
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    const LIFETIME: Lifetime = Lifetime { fresh_s: 60, revalidate_s: 6 };

    #[test]
    fn each_encoding_has_its_own_strong_tag_and_the_same_content() {
        let text = "{\"close\":27.95},".repeat(500);
        let entry = Entry::new(Answer::json(text.clone()), LIFETIME, 0);
        let (identity, gzip) = (entry.variant(false), entry.variant(true));
        assert_eq!((identity.encoding, gzip.encoding), (Encoding::Identity, Encoding::Gzip));
        assert_ne!(identity.etag, gzip.etag);
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert!((identity.body.len() + gzip.body.len()) as u64 <= entry.weight_bytes());
    }

    #[test]
    fn what_gzip_does_not_halve_is_sent_as_it_is() {
        let noise: Vec<u8> =
            (0..4096u32).flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
        for body in [Bytes::from_static(b"{}"), noise.into()] {
            assert_eq!(
                Entry::new(Answer::json(body), LIFETIME, 0).variant(true).encoding,
                Encoding::Identity
            );
        }
    }

    #[test]
    fn no_answer_stays_fresh_for_longer_because_the_clock_stepped_back() {
        let (made_ms, hour_ms) = (10 * 3_600_000, 3_600_000);
        let entry = Entry::new(Answer::json(Bytes::new()), LIFETIME, made_ms);
        assert!(
            entry.is_fresh(made_ms)
                && entry.is_fresh(made_ms + 59_999)
                && !entry.is_fresh(made_ms + 60_000)
        );
        // Another instance may be behind by as much as that.
        assert!(entry.is_fresh(made_ms - 5000));
        assert_eq!(entry.fresh_for_s(made_ms - 5000), 60);
        assert!(
            !entry.is_fresh(made_ms - hour_ms)
                && !entry.may_be_shown_while_revalidating(made_ms - hour_ms)
        );
        assert!(
            entry.claim_refresh(made_ms)
                && !entry.claim_refresh(made_ms)
                && entry.claim_refresh(made_ms - hour_ms)
        );
    }

    #[test]
    fn one_request_refreshes_and_another_may_when_it_takes_too_long() {
        let entry = Entry::new(Answer::json(Bytes::new()), LIFETIME, 0);
        assert!(entry.claim_refresh(60_000));
        assert!(!entry.claim_refresh(69_999));
        assert!(entry.claim_refresh(70_000));
    }
}
