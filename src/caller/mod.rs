//! The types that describe a client: its key's id, owner and tier, or its network if it has no key.
//!
//! They validate their text form and do no I/O, so every module may use them.

mod client_network;
mod label;
mod rate_limit;
mod tier;
mod watchlist;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rand::RngExt;

pub use client_network::ClientNetwork;
pub use label::{Actor, Label, Note, TextError};
pub use rate_limit::{
    HOUR_S, MINUTE_S, REQUESTS_MAX, RateLimit, RateLimitError, WINDOW_S_MAX, WINDOW_S_MIN,
    parse_requests, parse_window_s,
};
pub use tier::{Tier, TierName, TierNameError};
pub use watchlist::{WatchlistId, WatchlistIdError, WatchlistName};

/// The start of every token. Other texts should never contain it, so it reveals a leaked token.
pub const TOKEN_PREFIX: &str = "tk_live_";

/// The length of a key's id, in characters.
pub const ID_CHARS: usize = 12;

/// The holder of a verified key, as far as a request needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub id: KeyId,
    /// The id under which requests are limited: that of the first key in a chain of rotations.
    pub limit_id: KeyId,
    /// The holder of the key. Watchlists belong to the owner, not to the key.
    pub owner: String,
    pub tier: Arc<Tier>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// The public id of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_CHARS]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a key id: {ID_CHARS} letters and digits, the part of a token between 'tk_live_' and \
     the next '_'"
)]
pub struct KeyIdError;

impl KeyId {
    pub fn random() -> Self {
        let mut rng = rand::rng();
        Self(std::array::from_fn(|_| base62(rng.random_range(0..62))))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is base62")
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

/// The base62 digit of `value`, which must be below 62.
pub fn base62(value: usize) -> u8 {
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[value]
}
