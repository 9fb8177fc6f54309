//! The one Redis client: every call has a timeout, and a circuit breaker skips calls after
//! failures.
//!
//! Redis holds only what can be lost, so a request goes on without it when a call fails. `client`
//! has the commands, `breaker` the circuit breaker, `watch` follows whether there is a connection,
//! `messages` publishes and receives the messages between instances, and `checks` proves that Redis
//! grants what all of these need (`permissions`).

mod breaker;
mod checks;
mod client;
mod inspection;
mod messages;
mod permissions;
mod watch;

pub use client::{Redis, RedisError, Script};
pub use inspection::Inspection;
pub use messages::Message;
