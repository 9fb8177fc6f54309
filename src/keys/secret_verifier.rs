//! Whether a token is one of ours: by its row in Postgres, the hint of its secret, and argon2id.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::Instrument;

use super::Token;
use super::hash::hint_of;
use super::hash_pool::HashPool;
use super::recent_failures::RecentFailures;
use super::verify::Refusal;
use crate::caller::{Caller, KeyId};
use crate::config::KeysConfig;
use crate::store::{KeyRow, Store};

/// Rows of keys that are read at once for tokens that are new here: a flood of them is to leave
/// connections to others.
const LOOK_UPS_MAX: usize = 4;

/// Hints that are written at once, for keys that have none. What is left out is tried again by the
/// next process.
const HINTS_WRITTEN_MAX: usize = 4;

/// A token's share of what bounds how many are proven, for as long as it is.
pub struct QueueSlot {
    _in_all: OwnedSemaphorePermit,
    /// Where only argon2id can refuse it.
    _without_hint: Option<OwnedSemaphorePermit>,
}

/// A key whose secret is right.
pub struct VerifiedKey {
    /// The hash that the secret was proven against.
    pub phc: String,
    pub caller: Caller,
}

pub struct SecretVerifier {
    store: Store,
    in_all: Arc<Semaphore>,
    in_all_max: usize,
    without_hint: Arc<Semaphore>,
    look_ups: Semaphore,
    hints_written: Arc<Semaphore>,
    hashers: HashPool,
    recent_failures: Arc<RecentFailures>,
    /// For a turn to be looked up, and for a hash.
    wait: Duration,
}

impl SecretVerifier {
    pub fn new(store: Store, config: &KeysConfig, recent_failures: Arc<RecentFailures>) -> Self {
        let (wait, in_all_max) =
            (Duration::from_millis(config.argon2_wait_timeout_ms), config.argon2_queue_max);
        Self {
            store,
            in_all: Arc::new(Semaphore::new(in_all_max)),
            in_all_max,
            // Whoever sends wrong secrets of keys without a hint is not to keep the keys of others
            // out.
            without_hint: Arc::new(Semaphore::new(in_all_max.div_ceil(4))),
            look_ups: Semaphore::new(LOOK_UPS_MAX),
            hints_written: Arc::new(Semaphore::new(HINTS_WRITTEN_MAX)),
            hashers: HashPool::start(config.argon2_parallel_max.into(), wait),
            recent_failures,
            wait,
        }
    }

    /// Tokens that are being proven or wait for it.
    pub fn busy_with(&self) -> usize {
        self.in_all_max - self.in_all.available_permits()
    }

    /// The key that `token` is of.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] where there is none, its secret is another or it was revoked; `Busy`
    /// where there is no room, or its turn or argon2id took too long; `Store` or `RecentlyFailed`
    /// where Postgres could not be asked.
    pub async fn verify(&self, token: Token) -> Result<VerifiedKey, Refusal> {
        let in_all = self.in_all.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let (row, hint) = (self.row(token.id).await?, hint_of(token.id, &token.secret));
        let without_hint = match row.secret_hint {
            Some(right) if right != hint => return Err(Refusal::Invalid),
            Some(_) => None,
            None => Some(self.without_hint.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?),
        };
        let phc = row.secret_hash.clone();
        let room = QueueSlot { _in_all: in_all, _without_hint: without_hint };
        let proof = self
            .hashers
            .matches(token.secret, phc.clone(), room)
            .instrument(tracing::trace_span!("argon2id"));
        if !proof.await.ok_or(Refusal::Busy)? {
            return Err(Refusal::Invalid);
        }
        if row.secret_hint.is_none() {
            self.keep_hint(token.id, phc.clone(), hint);
        }
        row.into_caller().map(|caller| VerifiedKey { phc, caller }).ok_or(Refusal::Invalid)
    }

    /// The row of a key, in its turn.
    async fn row(&self, id: KeyId) -> Result<KeyRow, Refusal> {
        let turn = timeout(self.wait, self.look_ups.acquire()).await;
        let _turn = turn.map_err(|_| Refusal::Busy)?.expect("nobody closes it");
        if self.recent_failures.is_recent() {
            return Err(Refusal::RecentlyFailed);
        }
        match self.store.find_key(id).await {
            Ok(row) => row.ok_or(Refusal::Invalid),
            Err(error) => {
                self.recent_failures.note();
                Err(error.into())
            }
        }
    }

    /// Without it the key works as well; its wrong secrets cost argon2id. No request waits for
    /// that.
    fn keep_hint(&self, id: KeyId, phc: String, hint: i16) {
        let Ok(turn) = self.hints_written.clone().try_acquire_owned() else { return };
        let store = self.store.clone();
        tokio::spawn(async move {
            let _turn = turn;
            if let Err(error) = store.keep_hint(id, &phc, hint).await {
                tracing::warn!(cause = %error, key = %id, "the hint of a secret was not kept: its wrong secrets cost argon2id");
            }
        });
    }
}
