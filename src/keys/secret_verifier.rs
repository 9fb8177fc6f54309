//! Verifies a token that is not cached, in three steps: read the key's row from Postgres, compare
//! the hint of the secret, run argon2id.
//!
//! Each step rejects most of the invalid tokens that reach it. The [`VerificationQueue`] bounds how
//! many tokens are in these steps at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::Instrument;

use super::error::VerifyError;
use super::hash::hint_of;
use super::hash_pool::HashPool;
use super::queue::VerificationQueue;
use super::token::Token;
use crate::caller::{Caller, KeyId};
use crate::config::KeysConfig;
use crate::store::{KeyRow, Store};

/// Rows that are read at once. A flood of unknown tokens must leave connections to other requests.
const LOOKUPS_MAX: usize = 4;

/// Hints that are written at once. A hint beyond that is dropped; the next process writes it.
const HINTS_WRITTEN_MAX: usize = 4;

/// Requests that waited behind a failed lookup share its failure for this long. Otherwise each of
/// them would wait for its own timeout, one after the other.
const FAILURE_SHARED_FOR: Duration = Duration::from_millis(200);

/// Remembers for a moment that a lookup of a key in Postgres failed.
#[derive(Default)]
pub struct RecentFailures(Mutex<Option<Instant>>);

/// A key whose secret is right.
pub struct VerifiedKey {
    /// The hash that the secret matched, as a PHC string.
    pub secret_hash: String,
    pub caller: Caller,
}

pub struct SecretVerifier {
    store: Store,
    queue: VerificationQueue,
    lookups: Semaphore,
    /// How long a token may wait for its lookup to start.
    lookup_timeout: Duration,
    recent_failures: Arc<RecentFailures>,
    hash_pool: HashPool,
    hint_writes: Arc<Semaphore>,
}

impl RecentFailures {
    pub fn record(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a lookup failed within the last [`FAILURE_SHARED_FOR`].
    pub fn is_recent(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|failed_at| failed_at.elapsed() < FAILURE_SHARED_FOR)
    }
}

impl SecretVerifier {
    pub fn new(store: Store, config: &KeysConfig, recent_failures: Arc<RecentFailures>) -> Self {
        let step_timeout = Duration::from_millis(config.argon2_wait_timeout_ms);
        Self {
            store,
            queue: VerificationQueue::new(config.argon2_queue_max),
            lookups: Semaphore::new(LOOKUPS_MAX),
            lookup_timeout: step_timeout,
            recent_failures,
            hash_pool: HashPool::start(config.argon2_parallel_max.into(), step_timeout),
            hint_writes: Arc::new(Semaphore::new(HINTS_WRITTEN_MAX)),
        }
    }

    /// The number of tokens in the queue.
    pub fn queue_length(&self) -> usize {
        self.queue.length()
    }

    /// Finds the key of `token` and verifies the secret.
    ///
    /// # Errors
    /// - [`VerifyError::Invalid`] if there is no such key, the secret is wrong, or the key is
    ///   revoked.
    /// - `Busy` if the queue is full, or the lookup or argon2id took too long.
    /// - `Store` or `RecentlyFailed` if Postgres is unavailable.
    pub async fn verify(&self, token: Token) -> Result<VerifiedKey, VerifyError> {
        let mut slot = self.queue.enter().ok_or(VerifyError::Busy)?;
        let row = self.find_row(token.id).await?;
        let hint = hint_of(token.id, &token.secret);
        match row.secret_hint {
            Some(expected) if expected != hint => return Err(VerifyError::Invalid),
            Some(_) => {}
            None => slot = self.queue.enter_without_hint(slot).ok_or(VerifyError::Busy)?,
        }
        let secret_hash = row.secret_hash.clone();
        let matches = self
            .hash_pool
            .matches(token.secret, secret_hash.clone(), slot)
            .instrument(tracing::trace_span!("argon2id"));
        if !matches.await.ok_or(VerifyError::Busy)? {
            return Err(VerifyError::Invalid);
        }
        if row.secret_hint.is_none() {
            self.store_hint(token.id, secret_hash.clone(), hint);
        }
        let caller = row.into_caller().ok_or(VerifyError::Invalid)?;
        Ok(VerifiedKey { secret_hash, caller })
    }

    /// Reads the row of a key, at most [`LOOKUPS_MAX`] at once.
    async fn find_row(&self, id: KeyId) -> Result<KeyRow, VerifyError> {
        let permit = timeout(self.lookup_timeout, self.lookups.acquire()).await;
        let _permit = permit.map_err(|_| VerifyError::Busy)?.expect("the semaphore stays open");
        if self.recent_failures.is_recent() {
            return Err(VerifyError::RecentlyFailed);
        }
        match self.store.find_key(id).await {
            Ok(row) => row.ok_or(VerifyError::Invalid),
            Err(error) => {
                self.recent_failures.record();
                Err(error.into())
            }
        }
    }

    /// Stores the hint of a verified secret in the background. Without it the key still works, but
    /// every wrong secret for it costs one run of argon2id.
    fn store_hint(&self, id: KeyId, secret_hash: String, hint: i16) {
        let Ok(permit) = self.hint_writes.clone().try_acquire_owned() else { return };
        let store = self.store.clone();
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = store.keep_hint(id, &secret_hash, hint).await {
                tracing::warn!(
                    cause = %error, key = %id,
                    "the hint of a secret was not stored; wrong secrets for this key cost argon2id"
                );
            }
        });
    }
}
