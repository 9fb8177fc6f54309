//! Whether a token is one of ours: by its row in Postgres, the hint of its secret, and argon2id.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

use super::Token;
use super::hash::hint_of;
use super::hashers::Hashers;
use super::places::{Place, Places};
use super::verify::Refusal;
use crate::caller::{Caller, KeyId};
use crate::config::KeysConfig;
use crate::store::{KeyRow, Store};

/// What bounds how many tokens are looked at, for as long as one is.
pub struct Room {
    _in_all: OwnedSemaphorePermit,
    _of_this_key: Option<Place>,
}

/// A key whose secret is right.
pub struct Proven {
    /// The hash that the secret was proven against.
    pub phc: String,
    pub caller: Caller,
}

pub struct Prover {
    store: Store,
    in_all: Arc<Semaphore>,
    in_all_max: usize,
    places: Arc<Places>,
    hashers: Hashers,
}

impl Prover {
    pub fn new(store: Store, config: &KeysConfig) -> Self {
        let wait = Duration::from_millis(config.argon2_wait_timeout_ms);
        Self {
            store,
            in_all: Arc::new(Semaphore::new(config.argon2_queue_max)),
            in_all_max: config.argon2_queue_max,
            places: Arc::default(),
            hashers: Hashers::start(config.argon2_parallel_max.into(), wait),
        }
    }

    /// Tokens that are looked at.
    pub fn busy_with(&self) -> usize {
        self.in_all_max - self.in_all.available_permits()
    }

    /// The key that `token` is of.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] where there is none, its secret is another or it was revoked; `Busy` where there is no room or
    /// argon2id took too long; `Store` where Postgres could not be asked.
    pub async fn prove(&self, token: Token) -> Result<Proven, Refusal> {
        let in_all = self.in_all.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let Some(row) = self.store.find_key(token.id).await? else { return Err(Refusal::Invalid) };
        let hint = hint_of(&token.secret);
        let of_this_key = match row.secret_hint {
            Some(right) if right == hint => None,
            Some(_) => return Err(Refusal::Invalid),
            None => Some(self.places.take(token.id).ok_or(Refusal::Busy)?),
        };
        let room = Room { _in_all: in_all, _of_this_key: of_this_key };
        let proof = self.hashers.matches(token.secret, row.secret_hash.clone(), room);
        if !proof.instrument(tracing::trace_span!("argon2id")).await.ok_or(Refusal::Busy)? {
            return Err(Refusal::Invalid);
        }
        if row.secret_hint.is_none() {
            self.keep_hint(&row, token.id, hint).await;
        }
        let phc = row.secret_hash.clone();
        row.into_caller().map(|caller| Proven { phc, caller }).ok_or(Refusal::Invalid)
    }

    /// Without it the key works as well, and costs argon2id what others cost nothing.
    async fn keep_hint(&self, row: &KeyRow, id: KeyId, hint: i32) {
        if let Err(fault) = self.store.keep_hint(id, &row.secret_hash, hint).await {
            tracing::debug!(cause = %fault, key = %id, "the hint of a secret was not kept");
        }
    }
}
