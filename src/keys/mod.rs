//! API keys: what a token looks like, how its secret is kept, who may call.

mod cached_key;
mod failures;
mod hash;
mod hash_pool;
mod recent_failures;
mod secret_verifier;
mod service;
mod token;
mod validity;
mod verify;

pub use hash::{HashError, hash_secret, hint_of};
pub use service::{IssueRequest, Issued, KeyService, KeyServiceError, Notified, Rotated};
pub use token::{TOKEN_PREFIX, Token};
pub use validity::{Grace, ValidityError, expiry};
pub use verify::{Refusal, Verifier};
