//! Finds the caller of a token: from memory if this process has verified the token before,
//! otherwise with Postgres and argon2id.
//!
//! Memory holds two facts per token:
//!
//! 1. The secret matches a hash. This never changes, so argon2id runs once per key and process.
//! 2. The content of the key's row (tier, expiry, revocation). It can change, so the row is read
//!    again: at the next request after a reported change ([`Verifier::invalidate`]), and at the
//!    latest after `key_status_ttl_ms`.
//!
//! The change follower reports a change when a notification arrives. If the notification is lost,
//! the follower finds the change when it polls, within `changes_poll_ms`.
//!
//! Invalid tokens are remembered as well, for `key_refusal_ttl_ms`. Memory holds a keyed digest of
//! each token, never the token.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use rand::RngExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::cached_key::CachedKey;
use super::error::VerifyError;
use super::failed_attempts::FailedAttempts;
use super::secret_verifier::{RecentFailures, SecretVerifier, VerifiedKey};
use super::token::Token;
use crate::caller::Caller;
use crate::clock::{epoch_ms, is_ahead};
use crate::config::KeysConfig;
use crate::store::{KeyRow, Store};

/// The keyed BLAKE3 digest of a token.
pub type TokenDigest = [u8; 32];

/// A well-formed token that fails verification is rejected at the later of two times: this long
/// after its request began, or when verification ends. The response time therefore does not reveal
/// the reason: no such key, a secret that does not match the hint (8 stored bits of another hash of
/// the secret), or a secret that argon2id rejects after 15 ms. Malformed tokens are rejected at
/// once.
const REJECT_DELAY_MS: u64 = 50;

/// A verified token, for [`Verifier::knows`].
pub struct KnownToken {
    key: Arc<CachedKey>,
    /// The count of invalidations before the key was found.
    invalidations: u64,
}

/// A token that is known to be invalid.
#[derive(Clone, Copy)]
struct RejectedToken {
    /// The token is rejected from memory until then, in epoch milliseconds.
    until_ms: u64,
    /// When the delay of the first request ends. A request that repeats the token during this delay
    /// waits for the same moment. Answered earlier, it would show when verification ended, and so
    /// the reason.
    respond_at: Instant,
}

pub struct Verifier {
    store: Store,
    config: KeysConfig,
    /// Random in each process, so that a digest is useless outside of it.
    digest_key: [u8; 32],
    /// At most `keys_remembered_max`.
    cached_keys: Cache<TokenDigest, Arc<CachedKey>>,
    /// At most `refusals_remembered_max`, each for `key_refusal_ttl_ms`.
    rejected_tokens: Cache<TokenDigest, RejectedToken>,
    /// Invalid tokens by client address, to block addresses that guess.
    failed_attempts: FailedAttempts,
    /// Counts the calls of `invalidate`. If the count changes while a row is being read, that row
    /// may be outdated.
    invalidations: AtomicU64,
    /// Failed reads of keys in Postgres, so that waiting requests fail at once instead of retrying.
    recent_failures: Arc<RecentFailures>,
    secret_verifier: SecretVerifier,
}

impl Verifier {
    pub fn new(store: Store, config: KeysConfig) -> Self {
        let recent_failures = Arc::<RecentFailures>::default();
        Self {
            digest_key: rand::rng().random(),
            cached_keys: Cache::new(config.keys_remembered_max),
            rejected_tokens: Cache::new(config.refusals_remembered_max),
            failed_attempts: FailedAttempts::new(
                config.auth_failures_per_minute_max,
                config.auth_addresses_max,
            ),
            invalidations: AtomicU64::new(0),
            secret_verifier: SecretVerifier::new(store.clone(), &config, recent_failures.clone()),
            recent_failures,
            store,
            config,
        }
    }

    /// Returns the caller of `token`, which the client at `address` sent.
    ///
    /// # Errors
    /// A [`VerifyError`] if the token is invalid or could not be verified.
    pub async fn verify(
        &self,
        token: &str,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<Arc<Caller>, VerifyError> {
        let now_ms = epoch_ms(now);
        let digest = self.digest(token);
        // The branches that wait are boxed. Their futures take kilobytes, which each layer of
        // middleware would otherwise move for every request, including those served from memory.
        let key = match self.cached_keys.get(&digest) {
            Some(key) => key,
            None => Box::pin(self.verify_uncached(token, digest, address, now_ms)).await?,
        };
        let mut caller = key.caller().ok_or(VerifyError::Invalid)?;
        if key.needs_refresh(now_ms, &self.config) {
            caller = Box::pin(self.refresh(&key, caller, digest, now_ms)).await?;
        }
        match caller.expires_at {
            Some(expires_at) if expires_at <= now => Err(VerifyError::Invalid),
            _ => Ok(caller),
        }
    }

    pub fn digest(&self, token: &str) -> TokenDigest {
        *blake3::keyed_hash(&self.digest_key, token.as_bytes()).as_bytes()
    }

    /// A token that memory holds, with its caller. `None` if the caller can't be told from memory.
    pub fn known_token(
        &self,
        digest: &TokenDigest,
        now: DateTime<Utc>,
    ) -> Option<(KnownToken, Arc<Caller>)> {
        // Before the key: a later invalidation must not be missed.
        let invalidations = self.invalidations.load(Ordering::SeqCst);
        let key = self.cached_keys.get(digest)?;
        let caller = key.caller()?;
        let token = KnownToken { key, invalidations };
        self.knows(&token, &caller, now).then_some((token, caller))
    }

    /// Whether `caller` is still what memory holds for a token, and valid at `now`.
    pub fn knows(&self, token: &KnownToken, caller: &Arc<Caller>, now: DateTime<Utc>) -> bool {
        let KnownToken { key, invalidations } = token;
        // Memory may have evicted the key, and then no invalidation reaches it.
        self.invalidations.load(Ordering::SeqCst) == *invalidations
            && key.has_caller(caller)
            && caller.expires_at.is_none_or(|expires_at| expires_at > now)
            && !key.needs_refresh(epoch_ms(now), &self.config)
    }

    /// Requires that the rows of the affected keys are read again before their next use. The
    /// secrets stay verified: a change of many keys must not make all of them run argon2id.
    pub fn invalidate(&self, is_affected: impl Fn(&Caller) -> bool) {
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        for (_, key) in self.cached_keys.iter() {
            if key.caller().is_some_and(|caller| is_affected(&caller)) {
                key.invalidate();
            }
        }
        // Again, because memory may evict a key before the loop reaches it, and a worker may have
        // remembered it since the first count.
        self.invalidations.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of tokens that are being verified or wait for it.
    pub fn queue_length(&self) -> usize {
        self.secret_verifier.queue_length()
    }

    /// Verifies a token that is not cached, and caches the result.
    async fn verify_uncached(
        &self,
        text: &str,
        digest: TokenDigest,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<Arc<CachedKey>, VerifyError> {
        let respond_at = Instant::now() + Duration::from_millis(REJECT_DELAY_MS);
        let token = Token::parse(text).ok_or(VerifyError::Invalid)?;
        self.check_rejected(&digest, now_ms).await?;
        if let Some(until_ms) = self.failed_attempts.blocked_until_ms(address, now_ms) {
            return Err(VerifyError::TooManyFailures { until_ms });
        }
        // Concurrent requests with one token share one verification: the first gets the guard, the
        // others wait. If that wait times out, fail; a second verification would take as long.
        let wait = Duration::from_millis(self.config.argon2_wait_timeout_ms);
        let guard = match timeout(wait, self.cached_keys.get_value_or_guard_async(&digest)).await {
            // Another request has verified the token.
            Ok(Ok(key)) => return Ok(key),
            // This request verifies the token.
            Ok(Err(guard)) => guard,
            // The wait was too long.
            Err(_) => return Err(VerifyError::Busy),
        };
        // The request before this one may have found the token to be invalid.
        self.check_rejected(&digest, now_ms).await?;
        let attempt = self.failed_attempts.begin(address, now_ms, wait).await?;
        let invalidations = self.invalidations.load(Ordering::SeqCst);
        let VerifiedKey { secret_hash, caller } = match self.secret_verifier.verify(token).await {
            Err(VerifyError::Invalid) => {
                let until_ms = now_ms + self.config.key_refusal_ttl_ms;
                self.rejected_tokens.insert(digest, RejectedToken { until_ms, respond_at });
                attempt.fail(now_ms);
                sleep_until(respond_at).await;
                return Err(VerifyError::Invalid);
            }
            result => result?,
        };
        let key = Arc::new(CachedKey::new(secret_hash, caller, now_ms, &self.config));
        let _ = guard.insert(key.clone());
        // If `invalidate` ran while the row was read, it missed this key, which was not cached yet.
        // The next request reads the row again.
        if self.invalidations.load(Ordering::SeqCst) != invalidations {
            key.invalidate();
        }
        Ok(key)
    }

    /// Fails if the token is known to be invalid.
    async fn check_rejected(&self, digest: &TokenDigest, now_ms: u64) -> Result<(), VerifyError> {
        // An end much further ahead than the TTL was set before the clock stepped back. `is_ahead`
        // counts it as past.
        match self.rejected_tokens.get(digest) {
            Some(RejectedToken { until_ms, respond_at })
                if is_ahead(until_ms, now_ms, self.config.key_refusal_ttl_ms) =>
            {
                sleep_until(respond_at).await;
                Err(VerifyError::Invalid)
            }
            _ => Ok(()),
        }
    }

    /// Reads the row of a cached key again. `caller` is the result of the last read.
    ///
    /// One request reads at a time. Meanwhile the others continue with `caller`, because Postgres
    /// may be slow. They wait only if `caller` must not be used any more
    /// ([`CachedKey::may_use_old_row`]).
    async fn refresh(
        &self,
        key: &CachedKey,
        caller: Arc<Caller>,
        digest: TokenDigest,
        now_ms: u64,
    ) -> Result<Arc<Caller>, VerifyError> {
        let _refreshing = match key.refresh_lock.try_lock() {
            Ok(refreshing) => refreshing,
            Err(_) if key.may_use_old_row(now_ms, &self.config) => return Ok(caller),
            Err(_) => {
                let refreshing = key.refresh_lock.lock().await;
                // If the refresh before this one failed, share its failure.
                if self.recent_failures.is_recent() {
                    return Err(VerifyError::RecentlyFailed);
                }
                refreshing
            }
        };
        // Another request may have refreshed the key while this one waited.
        if !key.needs_refresh(now_ms, &self.config) {
            return key.caller().ok_or(VerifyError::Invalid);
        }
        let invalidations = self.invalidations.load(Ordering::SeqCst);
        let row = match self.store.find_key(caller.id).await {
            Ok(row) => row,
            Err(_) if key.may_use_old_row(now_ms, &self.config) => {
                // Postgres is unavailable: continue with `caller` and retry later. The retry counts
                // from now, because `now_ms` may be seconds old after a wait.
                key.delay_refresh(epoch_ms(Utc::now()) + self.config.key_status_retry_ms);
                return Ok(caller);
            }
            Err(error) => {
                self.recent_failures.record();
                return Err(error.into());
            }
        };
        let has_same_secret = |row: &KeyRow| row.secret_hash == key.secret_hash;
        let Some(caller) = row.filter(has_same_secret).and_then(KeyRow::into_caller) else {
            key.clear();
            self.cached_keys.remove(&digest);
            return Err(VerifyError::Invalid);
        };
        let caller = key.update(caller, now_ms, &self.config);
        // If `invalidate` ran while the row was read, the row may be from before the change. The
        // next request reads it again.
        if self.invalidations.load(Ordering::SeqCst) != invalidations {
            key.invalidate();
        }
        Ok(caller)
    }
}
