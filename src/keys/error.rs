//! The errors of verification and of key administration.

use super::hash::HashError;
use crate::caller::{KeyId, TierName};
use crate::store::{KeyStatus, StoreError};

/// Why a token does not identify a caller.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The token is malformed or unknown, its secret is wrong, or its key is expired or revoked.
    /// Clients do not learn which.
    #[error("no valid key")]
    Invalid,
    /// The client's address sent too many invalid tokens. It is blocked until `until_ms`, in epoch
    /// milliseconds.
    #[error("too many failed attempts from this address")]
    TooManyFailures { until_ms: u64 },
    /// The verification queue is full, or a wait in it timed out.
    #[error("too many keys are waiting for verification")]
    Busy,
    /// A lookup of a key failed a moment ago, so this request does not query Postgres.
    #[error("a key lookup failed a moment ago")]
    RecentlyFailed,
    #[error("the key could not be looked up")]
    Store(#[from] StoreError),
}

/// Why a change of a key or a tier failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyServiceError {
    #[error("there is no key {0}: expected an id from the list of keys")]
    NoKey(KeyId),
    #[error("there is no tier {:?}: expected one of {}", name.as_str(), tiers.join(", "))]
    NoTier { name: TierName, tiers: Vec<String> },
    #[error(
        "keys have the tier {:?}, of which {active} are active; revoked and expired ones count: \
         move them to another tier first (tickerd keys set)",
        name.as_str()
    )]
    TierInUse { name: TierName, active: i64 },
    #[error("there is a key {0} already: rotate it for a new token, or choose another id")]
    Taken(KeyId),
    #[error("{id} is {}: issue another key", state.as_str())]
    NotActive { id: KeyId, state: KeyStatus },
    #[error("{id} was rotated already: its new key is {by}")]
    Rotated { id: KeyId, by: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Hash(#[from] HashError),
}
