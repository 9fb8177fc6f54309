//! What operators do with keys and tiers, whichever way they ask: the command line and HTTP both
//! end here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{Grace, HashError, Token, hash_secret, hint_of};
use crate::caller::{Actor, KeyId, Label, Note, RequestsPerMinute, TierName};
use crate::redis::{Message, Redis};
use crate::store::{
    KeyChange, KeyState, KeyStatus, NewKey, Rotation, Store, StoreError, TierStatus, Written,
};

/// New secrets are hashed one at a time: each takes 19 MiB and a core for about 15 ms. Those who
/// wait are the connections of operators, which are bounded.
static HASHING: Semaphore = Semaphore::const_new(1);

#[derive(Debug, thiserror::Error)]
pub enum KeyServiceError {
    #[error("there is no key {0}: expected an id from the list of keys")]
    NoKey(KeyId),
    #[error("there is no tier {:?}: expected one of {}", name.as_str(), tiers.join(", "))]
    NoTier { name: TierName, tiers: Vec<String> },
    #[error("there is a key {0} already: rotate it for a new token, or choose another id")]
    Taken(KeyId),
    #[error("{id} is {}: issue another key", state.as_str())]
    NotActive { id: KeyId, state: KeyState },
    #[error("{id} was rotated already: its new key is {by}")]
    Rotated { id: KeyId, by: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// The desk for one operator.
pub struct KeyService {
    store: Store,
    redis: Option<Redis>,
    redis_wait: Duration,
    actor: Actor,
}

/// A key to issue.
pub struct IssueRequest {
    /// Chosen by whoever asks, so that asking twice issues one key.
    pub id: Option<KeyId>,
    pub owner: Label,
    pub name: Label,
    pub note: Option<Note>,
    pub tier: TierName,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A new key. Its token exists only here.
pub struct Issued {
    pub key: KeyStatus,
    pub token: SecretString,
}

/// A new key in place of another, which goes on until then.
pub struct Rotated {
    pub new: Issued,
    pub old_expires_at: DateTime<Utc>,
}

/// A change that is made, and how many instances were told of it. Others find out by themselves.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notified<T> {
    #[serde(flatten)]
    pub made: T,
    pub instances_told: u32,
}

/// A new key for its holder: as JSON, the one place that shows a token.
#[derive(Serialize)]
pub struct Revealed<'a> {
    #[serde(flatten)]
    key: &'a KeyStatus,
    token: &'a str,
}

impl Issued {
    pub fn reveal(&self) -> Revealed<'_> {
        Revealed { key: &self.key, token: self.token.expose_secret() }
    }
}

impl KeyService {
    /// `redis_wait` bounds how long a change waits for a connection to the Redis through which
    /// instances are told.
    pub fn new(store: Store, redis: Option<Redis>, redis_wait: Duration, actor: Actor) -> Self {
        Self { store, redis, redis_wait, actor }
    }

    pub async fn issue(&self, order: &IssueRequest) -> Result<Issued, KeyServiceError> {
        let (token, secret_hash) = new_token(order.id).await?;
        let secret_hint = hint_of(token.id, &token.secret);
        let key = NewKey {
            id: token.id,
            secret_hash: &secret_hash,
            secret_hint,
            owner: &order.owner,
            name: &order.name,
            note: order.note.as_ref(),
            tier: &order.tier,
            expires_at: order.expires_at,
        };
        match self.store.insert_key(&self.actor, &key).await? {
            Written::Done(key) => Ok(Issued { key, token: token.reveal() }),
            Written::NoTier => Err(self.no_tier(&order.tier).await?),
            Written::Taken => Err(KeyServiceError::Taken(token.id)),
        }
    }

    /// A new key that takes over from `id`, on the same limit. The old one goes on for `grace`.
    pub async fn rotate(
        &self,
        id: KeyId,
        grace: Grace,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<Notified<Rotated>, KeyServiceError> {
        let (token, secret_hash) = new_token(None).await?;
        let new = (token.id, secret_hash.as_str(), hint_of(token.id, &token.secret));
        match self
            .store
            .rotate_key(&self.actor, id, new, expires_at, TimeDelta::from(grace))
            .await?
        {
            Written::Done(Some(Rotation { new, old_expires_at })) => {
                let instances_told = self.publish(&[Message::Key(id)]).await;
                let made =
                    Rotated { new: Issued { key: new, token: token.reveal() }, old_expires_at };
                Ok(Notified { made, instances_told })
            }
            _ => {
                let old = self.find(id).await?;
                Err(match old.replaced_by {
                    Some(by) => KeyServiceError::Rotated { id, by },
                    None => KeyServiceError::NotActive { id, state: old.status },
                })
            }
        }
    }

    /// Changes a key, and those that share its limit.
    pub async fn change(
        &self,
        id: KeyId,
        change: &KeyChange,
    ) -> Result<Notified<KeyStatus>, KeyServiceError> {
        match self.store.change_key(&self.actor, id, change).await? {
            Written::Done(mut touched) => {
                let words: Vec<_> = touched
                    .iter()
                    .filter_map(|key| key.id.parse().ok())
                    .map(Message::Key)
                    .collect();
                let asked = touched
                    .iter()
                    .position(|key| key.id == id.as_str())
                    .ok_or(KeyServiceError::NoKey(id))?;
                Ok(Notified {
                    made: touched.swap_remove(asked),
                    instances_told: self.publish(&words).await,
                })
            }
            Written::NoTier | Written::Taken => match &change.tier {
                Some(tier) => Err(self.no_tier(tier).await?),
                None => Err(KeyServiceError::NoKey(id)),
            },
        }
    }

    /// Refuses a key from now on. Again is no error.
    pub async fn revoke(&self, id: KeyId) -> Result<Notified<KeyStatus>, KeyServiceError> {
        let made =
            self.store.revoke_key(&self.actor, id).await?.ok_or(KeyServiceError::NoKey(id))?;
        Ok(Notified { made, instances_told: self.publish(&[Message::Key(id)]).await })
    }

    pub async fn find(&self, id: KeyId) -> Result<KeyStatus, KeyServiceError> {
        self.store.find_key_status(id).await?.ok_or(KeyServiceError::NoKey(id))
    }

    /// Gives a tier this limit, and makes it where there is none of that name.
    pub async fn set_tier(
        &self,
        name: &TierName,
        limit: RequestsPerMinute,
    ) -> Result<Notified<TierStatus>, KeyServiceError> {
        self.store.set_tier(&self.actor, name, limit).await?;
        let instances_told = self.publish(&[Message::Look]).await;
        Ok(Notified { made: self.find_tier(name).await?, instances_told })
    }

    pub async fn find_tier(&self, name: &TierName) -> Result<TierStatus, KeyServiceError> {
        let mut tiers = self.store.list_tiers().await?;
        match tiers.iter().position(|tier| tier.name == name.as_str()) {
            Some(at) => Ok(tiers.swap_remove(at)),
            None => Err(self.no_tier(name).await?),
        }
    }

    /// What is only read needs no more than this.
    pub fn store(&self) -> &Store {
        &self.store
    }

    async fn no_tier(&self, name: &TierName) -> Result<KeyServiceError, StoreError> {
        let tiers = self.store.list_tiers().await?.into_iter().map(|tier| tier.name).collect();
        Ok(KeyServiceError::NoTier { name: name.clone(), tiers })
    }

    /// Tells every instance, and returns how many were told. Those that were not find out by
    /// themselves.
    async fn publish(&self, words: &[Message]) -> u32 {
        let Some(redis) = &self.redis else { return 0 };
        if !redis.is_connected() && !redis.wait_until_connected(self.redis_wait).await {
            return 0;
        }
        let mut told = None;
        for word in words {
            let heard = redis.publish(*word).await.unwrap_or(0);
            told = Some(told.map_or(heard, |least: u32| least.min(heard)));
        }
        told.unwrap_or(0)
    }
}

/// A new token and the hash to keep of it. The hash is made off the caller's thread.
async fn new_token(id: Option<KeyId>) -> Result<(Token, String), KeyServiceError> {
    let permit = HASHING.acquire().await.expect("nobody closes it");
    let make = move || {
        let _permit = permit;
        let token = id.map_or_else(Token::random, Token::for_id);
        hash_secret(&token.secret).map(|hash| (token, hash))
    };
    Ok(tokio::task::spawn_blocking(make)
        .await
        .expect("hashing does not panic, and the runtime waits for it")?)
}
