//! API keys: the format of a token, the storage of its secret, its verification, and the operations
//! of operators.
//!
//! A request passes through [`Verifier::verify`]. Operators use [`KeyService`].

mod cached_key;
mod error;
mod failed_attempts;
mod hash;
mod hash_pool;
mod queue;
mod secret_verifier;
mod service;
mod token;
mod validity;
mod verify;

pub use error::{KeyServiceError, VerifyError};
pub use hash::{HashError, hash_secret, hint_of};
pub use service::{IssueRequest, Issued, KeyService, Notified, Rotated};
pub use token::{TOKEN_PREFIX, Token};
pub use validity::{Grace, ValidityError, expiry};
pub use verify::{KnownToken, TokenDigest, Verifier};
