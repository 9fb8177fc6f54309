//! API keys: what a token looks like, how its secret is kept, who may call.

mod failures;
mod hash;
mod token;
mod verify;

pub use hash::{HashFault, hash_secret};
pub use token::{TOKEN_PREFIX, Token};
pub use verify::{Refusal, Verifier};
