//! API keys: what a token looks like, how its secret is kept, who may call.

mod failures;
mod hash;
mod hashers;
mod known;
mod prove;
mod registry;
mod token;
mod vain;
mod validity;
mod verify;

pub use hash::{HashFault, hash_secret, hint_of};
pub use registry::{IssueOrder, Issued, Registry, RegistryFault, Rotated, Told};
pub use token::{TOKEN_PREFIX, Token};
pub use validity::{Grace, ValidityFault, expiry};
pub use verify::{Refusal, Verifier};
