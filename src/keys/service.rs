//! The operations on keys and tiers. The command line and `/admin` both use [`KeyService`].
//!
//! Each change is written to Postgres and then published through Redis, so that running instances
//! apply it at once. Instances that miss the message find the change when they poll Postgres.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::error::KeyServiceError;
use super::hash::{hash_secret, hint_of};
use super::token::Token;
use super::validity::Grace;
use crate::caller::{Actor, KeyId, Label, Note, RateLimit, TierName};
use crate::redis::{Message, Redis};
use crate::store::{
    KeyChange, KeyRecord, KeyWrite, NewKey, Rotation, Store, StoreError, TierRecord,
};

/// New secrets are hashed one at a time, because each takes 19 MiB and 15 ms of a core. The number
/// of connections of operators bounds how many wait.
static HASHING: Semaphore = Semaphore::const_new(1);

/// The operations of one operator, whom the audit names as `actor`.
pub struct KeyService {
    store: Store,
    redis: Option<Redis>,
    redis_wait: Duration,
    actor: Actor,
}

/// A key to issue.
pub struct IssueRequest {
    /// Chosen by the client if it is present, so that a repeated request issues one key only.
    pub id: Option<KeyId>,
    pub owner: Label,
    pub name: Label,
    pub note: Option<Note>,
    pub tier: TierName,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A new key with its token, which is not stored anywhere.
pub struct Issued {
    pub key: KeyRecord,
    pub token: SecretString,
}

/// A new key that replaces another one.
pub struct Rotated {
    pub new: Issued,
    /// The old key stays valid until then.
    pub old_expires_at: DateTime<Utc>,
}

/// The result of a change, and how many instances were notified of it.
#[derive(Debug)]
pub struct Notified<T> {
    pub result: T,
    /// The other instances find the change when they poll Postgres.
    pub instances_notified: u32,
}

impl KeyService {
    /// `redis_wait` bounds how long a change waits for a connection to Redis.
    pub fn new(store: Store, redis: Option<Redis>, redis_wait: Duration, actor: Actor) -> Self {
        Self { store, redis, redis_wait, actor }
    }

    /// Issues a new key.
    ///
    /// # Errors
    /// [`KeyServiceError::NoTier`], `Taken`, `Store` or `Hash`.
    pub async fn issue(&self, request: &IssueRequest) -> Result<Issued, KeyServiceError> {
        let (token, secret_hash) = new_token(request.id).await?;
        let secret_hint = hint_of(token.id, &token.secret);
        let key = NewKey {
            id: token.id,
            secret_hash: &secret_hash,
            secret_hint,
            owner: &request.owner,
            name: &request.name,
            note: request.note.as_ref(),
            tier: &request.tier,
            expires_at: request.expires_at,
        };
        match self.store.insert_key(&self.actor, &key).await? {
            KeyWrite::Done(key) => Ok(Issued { key, token: token.reveal() }),
            KeyWrite::UnknownTier => Err(self.no_tier(&request.tier).await?),
            KeyWrite::Taken => Err(KeyServiceError::Taken(token.id)),
        }
    }

    /// Issues a key that replaces `id` and shares its limit. The old key stays valid for `grace`.
    ///
    /// # Errors
    /// [`KeyServiceError::NoKey`], `NotActive`, `Rotated`, `Store` or `Hash`.
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
            KeyWrite::Done(Some(Rotation { new, old_expires_at })) => {
                let instances_notified = self.notify(&[Message::Key(id)]).await;
                let new = Issued { key: new, token: token.reveal() };
                Ok(Notified { result: Rotated { new, old_expires_at }, instances_notified })
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

    /// Changes a key and the keys that share its limit.
    ///
    /// # Errors
    /// [`KeyServiceError::NoKey`], `NoTier` or `Store`.
    pub async fn change(
        &self,
        id: KeyId,
        change: &KeyChange,
    ) -> Result<Notified<KeyRecord>, KeyServiceError> {
        match self.store.change_key(&self.actor, id, change).await? {
            KeyWrite::Done(mut changed) => {
                let messages: Vec<_> = changed
                    .iter()
                    .filter_map(|key| key.id.parse().ok())
                    .map(Message::Key)
                    .collect();
                let position = changed
                    .iter()
                    .position(|key| key.id == id.as_str())
                    .ok_or(KeyServiceError::NoKey(id))?;
                Ok(Notified {
                    result: changed.swap_remove(position),
                    instances_notified: self.notify(&messages).await,
                })
            }
            KeyWrite::UnknownTier | KeyWrite::Taken => match &change.tier {
                Some(tier) => Err(self.no_tier(tier).await?),
                None => Err(KeyServiceError::NoKey(id)),
            },
        }
    }

    /// Revokes a key at once. It is no error if the key is already revoked.
    ///
    /// # Errors
    /// [`KeyServiceError::NoKey`] or `Store`.
    pub async fn revoke(&self, id: KeyId) -> Result<Notified<KeyRecord>, KeyServiceError> {
        let revoked = self.store.revoke_key(&self.actor, id).await?;
        let result = revoked.ok_or(KeyServiceError::NoKey(id))?;
        Ok(Notified { result, instances_notified: self.notify(&[Message::Key(id)]).await })
    }

    /// # Errors
    /// [`KeyServiceError::NoKey`] or `Store`.
    pub async fn find(&self, id: KeyId) -> Result<KeyRecord, KeyServiceError> {
        self.store.find_key_record(id).await?.ok_or(KeyServiceError::NoKey(id))
    }

    /// Creates a tier or changes its limit.
    ///
    /// # Errors
    /// [`KeyServiceError::Store`].
    pub async fn set_tier(
        &self,
        name: &TierName,
        limit: RateLimit,
    ) -> Result<Notified<TierRecord>, KeyServiceError> {
        self.store.set_tier(&self.actor, name, limit).await?;
        let instances_notified = self.notify(&[Message::DataChanged]).await;
        Ok(Notified { result: self.find_tier(name).await?, instances_notified })
    }

    /// Deletes a tier that no key has.
    ///
    /// # Errors
    /// [`KeyServiceError::NoTier`], `TierInUse` or `Store`.
    pub async fn delete_tier(
        &self,
        name: &TierName,
    ) -> Result<Notified<TierRecord>, KeyServiceError> {
        let tier = self.find_tier(name).await?;
        if !self.store.delete_tier(&self.actor, name).await? {
            let active = tier.active_keys;
            return Err(KeyServiceError::TierInUse { name: name.clone(), active });
        }
        let instances_notified = self.notify(&[Message::DataChanged]).await;
        Ok(Notified { result: tier, instances_notified })
    }

    /// # Errors
    /// [`KeyServiceError::NoTier`] or `Store`.
    pub async fn find_tier(&self, name: &TierName) -> Result<TierRecord, KeyServiceError> {
        let mut tiers = self.store.list_tiers().await?;
        match tiers.iter().position(|tier| tier.name == name.as_str()) {
            Some(position) => Ok(tiers.swap_remove(position)),
            None => Err(self.no_tier(name).await?),
        }
    }

    /// The store, for queries that change nothing.
    pub fn store(&self) -> &Store {
        &self.store
    }

    async fn no_tier(&self, name: &TierName) -> Result<KeyServiceError, StoreError> {
        let tiers = self.store.list_tiers().await?.into_iter().map(|tier| tier.name).collect();
        Ok(KeyServiceError::NoTier { name: name.clone(), tiers })
    }

    /// Publishes messages to all instances. Returns how many instances received every message.
    async fn notify(&self, messages: &[Message]) -> u32 {
        let Some(redis) = &self.redis else { return 0 };
        if !redis.is_connected() && !redis.wait_until_connected(self.redis_wait).await {
            return 0;
        }
        let mut fewest = None;
        for message in messages {
            let receivers = redis.publish(*message).await.unwrap_or(0);
            fewest = Some(fewest.map_or(receivers, |fewest: u32| fewest.min(receivers)));
        }
        fewest.unwrap_or(0)
    }
}

/// A new token and the hash of its secret. The hash runs on a thread for blocking work.
async fn new_token(id: Option<KeyId>) -> Result<(Token, String), KeyServiceError> {
    let permit = HASHING.acquire().await.expect("the semaphore stays open");
    let make = move || {
        let _permit = permit;
        let token = id.map_or_else(Token::random, Token::for_id);
        hash_secret(&token.secret).map(|hash| (token, hash))
    };
    Ok(tokio::task::spawn_blocking(make)
        .await
        .expect("hashing does not panic, and the runtime waits for it")?)
}
