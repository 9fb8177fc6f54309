//! Who is calling? From memory where we know, from Postgres and argon2id where we don't.
//!
//! A token is remembered by a keyed digest, never by itself. What is remembered is two things of
//! different age: that this secret belongs to this hash, which can't change, and what the key's row
//! said, which is asked again after `key_status_ttl_ms`. So argon2id runs once for a key and a
//! process, and a revocation is seen even if no word of it came.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use rand::RngExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::Token;
use super::cached_key::CachedKey;
use super::failures::Failures;
use super::recent_failures::RecentFailures;
use super::secret_verifier::{SecretVerifier, VerifiedKey};
use crate::caller::Caller;
use crate::clock::is_ahead;
use crate::config::KeysConfig;
use crate::store::{KeyRow, Store, StoreError};

type Digest = [u8; 32];

/// A token that is no key's is refused so long after it first came, however that was found out: in
/// a look-up that finds nothing, in one that finds a key, in 15 ms of argon2id.
const REFUSED_AFTER_MS: u64 = 50;

/// Why a request may not go on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Unknown, wrong, malformed, expired or revoked: nobody outside learns which.
    #[error("no valid key")]
    Invalid,
    /// Too many wrong keys from this address.
    #[error("too many failed attempts from this address")]
    TooManyFailures { until_ms: u64 },
    /// More new keys to verify than the queue holds.
    #[error("too many keys wait to be verified")]
    Busy,
    /// Postgres could not be asked a moment ago, and is left alone.
    #[error("keys could not be looked up a moment ago")]
    RecentlyFailed,
    #[error("the key could not be looked up")]
    Store(#[from] StoreError),
}

/// A token that was refused.
#[derive(Clone, Copy)]
struct Refused {
    /// Until when it is refused from memory, epoch milliseconds.
    until_ms: u64,
    /// Nobody is told before: who sent the same twice could tell from the second when the first was
    /// decided.
    told_at: Instant,
}

pub struct Verifier {
    store: Store,
    config: KeysConfig,
    /// New with every process: a digest tells nothing outside of it.
    digest_key: [u8; 32],
    known: Cache<Digest, Arc<CachedKey>>,
    refused: Cache<Digest, Refused>,
    failures: Failures,
    /// Counts the changes heard of, so that a row read before one is not remembered after it.
    invalidations: AtomicU64,
    recent_failures: Arc<RecentFailures>,
    secret_verifier: SecretVerifier,
}

impl Verifier {
    pub fn new(store: Store, config: KeysConfig) -> Self {
        let recent_failures = Arc::<RecentFailures>::default();
        Self {
            digest_key: rand::rng().random(),
            known: Cache::new(config.keys_remembered_max),
            refused: Cache::new(config.refusals_remembered_max),
            failures: Failures::new(config.auth_failures_per_minute_max, config.auth_addresses_max),
            invalidations: AtomicU64::new(0),
            secret_verifier: SecretVerifier::new(store.clone(), &config, recent_failures.clone()),
            recent_failures,
            store,
            config,
        }
    }

    /// Finds out whom `token` stands for.
    ///
    /// # Errors
    /// A [`Refusal`]; see there.
    pub async fn verify(
        &self,
        token: &str,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<Arc<Caller>, Refusal> {
        let now_ms = now.timestamp_millis().unsigned_abs();
        let digest = *blake3::keyed_hash(&self.digest_key, token.as_bytes()).as_bytes();
        // The ways that wait are boxed: a request that is answered from memory would carry room for
        // all of them, some kilobytes, and move them with each layer. That was a seventh of the
        // server's time.
        let known = match self.known.get(&digest) {
            Some(known) => known,
            None => Box::pin(self.verify_uncached(token, digest, address, now_ms)).await?,
        };
        let Some(mut caller) = known.current() else { return Err(Refusal::Invalid) };
        if known.is_old(now_ms, &self.config) {
            caller = Box::pin(self.refresh(&known, caller, digest, now_ms)).await?;
        }
        match caller.expires_at {
            Some(expires_at) if expires_at <= now => Err(Refusal::Invalid),
            _ => Ok(caller),
        }
    }

    /// Keys that are being verified or wait for it.
    pub fn waiting(&self) -> usize {
        self.secret_verifier.busy_with()
    }

    /// Believes nothing any more of what the rows of these callers' keys said: each is read again
    /// at its next request, whatever happens. Their secrets stay proven: a change of many keys must
    /// not make them all wait for argon2id.
    pub fn invalidate(&self, is_meant: impl Fn(&Caller) -> bool) {
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        for (_, known) in self.known.iter() {
            if known.current().is_some_and(|caller| is_meant(&caller)) {
                known.invalidate();
            }
        }
    }

    /// The first sight of a token in this process. Concurrent firsts of one token share one
    /// look-up.
    async fn verify_uncached(
        &self,
        text: &str,
        digest: Digest,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<Arc<CachedKey>, Refusal> {
        let (started, token) = (Instant::now(), Token::parse(text).ok_or(Refusal::Invalid)?);
        self.check_denied(&digest, now_ms).await?;
        if let Some(until_ms) = self.failures.blocked_until_ms(address, now_ms) {
            return Err(Refusal::TooManyFailures { until_ms });
        }
        // Those who waited for a neighbour's proof in vain don't wait for their own as well.
        let wait = Duration::from_millis(self.config.argon2_wait_timeout_ms);
        let guard = match timeout(wait, self.known.get_value_or_guard_async(&digest)).await {
            Ok(Ok(known)) => return Ok(known),
            Ok(Err(guard)) => guard,
            Err(_) => return Err(Refusal::Busy),
        };
        // A neighbour that waited for the same digest may have been refused meanwhile.
        self.check_denied(&digest, now_ms).await?;
        let invalidations = self.invalidations.load(Ordering::SeqCst);
        let VerifiedKey { phc, caller } = match self.secret_verifier.verify(token).await {
            Ok(verified) => verified,
            Err(Refusal::Invalid) => {
                let told_at = started + Duration::from_millis(REFUSED_AFTER_MS);
                self.refused.insert(
                    digest,
                    Refused { until_ms: now_ms + self.config.key_refusal_ttl_ms, told_at },
                );
                self.failures.record(address, now_ms);
                sleep_until(told_at).await;
                return Err(Refusal::Invalid);
            }
            Err(refusal) => return Err(refusal),
        };
        let known = Arc::new(CachedKey::new(phc, caller, now_ms, &self.config));
        let _ = guard.insert(known.clone());
        // Word of a change may have come between the row and here; it found nothing to forget.
        if self.invalidations.load(Ordering::SeqCst) != invalidations {
            self.known.remove(&digest);
        }
        Ok(known)
    }

    /// Refuses what was refused a moment ago.
    async fn check_denied(&self, digest: &Digest, now_ms: u64) -> Result<(), Refusal> {
        let refused = self.refused.get(digest);
        match refused
            .filter(|refused| is_ahead(refused.until_ms, now_ms, self.config.key_refusal_ttl_ms))
        {
            None => Ok(()),
            Some(refused) => {
                sleep_until(refused.told_at).await;
                Err(Refusal::Invalid)
            }
        }
    }

    /// What the key's row says now. `caller` is what it said when it was last asked.
    async fn refresh(
        &self,
        known: &CachedKey,
        caller: Arc<Caller>,
        digest: Digest,
        now_ms: u64,
    ) -> Result<Arc<Caller>, Refusal> {
        // One asks; the others go on with what is known meanwhile, rather than wait for a Postgres
        // that may hang. With what is in doubt they don't go on.
        let _one_at_a_time = match known.refresh.try_lock() {
            Ok(turn) => turn,
            Err(_) if known.is_within_stale_limit(now_ms, &self.config) => return Ok(caller),
            Err(_) => {
                let turn = known.refresh.lock().await;
                // Those who waited behind a failure share it.
                if self.recent_failures.is_recent() {
                    return Err(Refusal::RecentlyFailed);
                }
                turn
            }
        };
        if !known.is_old(now_ms, &self.config) {
            return known.current().ok_or(Refusal::Invalid);
        }
        let invalidations = self.invalidations.load(Ordering::SeqCst);
        let row = match self.store.find_key(caller.id).await {
            Ok(row) => row,
            Err(_) if known.is_within_stale_limit(now_ms, &self.config) => {
                // Postgres is away: go on with what we know, and leave it alone for a moment.
                known.ask_again_at(epoch_ms() + self.config.key_status_retry_ms);
                return Ok(caller);
            }
            Err(error) => {
                self.recent_failures.note();
                return Err(error.into());
            }
        };
        let same_secret = |row: &KeyRow| row.secret_hash == known.phc;
        match row.filter(same_secret).and_then(KeyRow::into_caller) {
            Some(caller) => {
                let caller = known.renew(caller, now_ms, &self.config);
                // Word of a change may have come between the row and here.
                if self.invalidations.load(Ordering::SeqCst) != invalidations {
                    known.invalidate();
                }
                Ok(caller)
            }
            None => {
                known.withdraw();
                self.known.remove(&digest);
                Err(Refusal::Invalid)
            }
        }
    }
}

/// The time after a wait, when the request's own is no longer now.
fn epoch_ms() -> u64 {
    Utc::now().timestamp_millis().unsigned_abs()
}
