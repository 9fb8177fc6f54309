//! Who calls, as every room knows it: the key's public id, its tier, its limit.

mod actor;
mod client_network;
mod label;
mod tier;
mod watchlist;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rand::RngExt;

pub use actor::Actor;
pub use client_network::ClientNetwork;
pub use label::{Label, Note, TextError};
pub use tier::{
    REQUESTS_PER_MINUTE_MAX, RequestsPerMinute, RequestsPerMinuteError, Tier, TierName,
    TierNameError,
};
pub use watchlist::{WatchlistId, WatchlistIdError, WatchlistName};

/// What every token of a key starts with. Nowhere else has a text a reason to hold it.
pub const TOKEN_PREFIX: &str = "tk_live_";

/// The length of a key's id, in characters.
pub const ID_CHARS: usize = 12;

/// Whom a verified key stands for, as far as a request needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub id: KeyId,
    /// Whose limit counts: the id, or that of the first of the keys that took over from each other.
    pub limit_id: KeyId,
    /// Whom the key was issued to: what is kept for its holder is kept under this.
    pub owner: String,
    pub tier: Arc<Tier>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// The public part of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_CHARS]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a key id: {ID_CHARS} letters and digits, the part of a token between 'tk_live_' and the next '_'"
)]
pub struct KeyIdError;

impl KeyId {
    pub fn random() -> Self {
        let mut rng = rand::rng();
        Self(std::array::from_fn(|_| base62(rng.random_range(0..62))))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id holds base62 only")
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let bytes: [u8; ID_CHARS] = text.as_bytes().try_into().map_err(|_| KeyIdError)?;
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(KeyIdError);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The base62 digit of `value`, which is below 62.
pub fn base62(value: usize) -> u8 {
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[value]
}
