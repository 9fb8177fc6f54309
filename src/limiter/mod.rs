//! Strict sliding-window limits: no trailing window contains more requests than the limit. A tier
//! has windows of 10 s to 1 h, and may get others at any time.
//!
//! - [`KeyLimiter`] limits keys. With Redis, all instances share one window per key
//!   ([`redis_window`]), and each instance takes permits from it in advance ([`lease`]), so that
//!   most requests need no Redis call. While Redis is unavailable, each instance counts what it
//!   admits itself. Without Redis, it has windows of its own ([`local_windows`]).
//! - [`AnonymousLimiter`] limits requests without a key, by client network.
//!
//! Both count with the same window ([`sliding_window`], or `window.lua` in Redis).

mod anonymous;
mod atomic_limit;
mod instance_count;
mod key_limiter;
mod key_state;
mod lease;
mod lease_state;
mod local_windows;
mod permit_pool;
#[cfg(test)]
mod redis_model;
mod redis_window;
mod rejections;
#[cfg(test)]
mod simulation;
mod sliding_window;
mod take;
#[cfg(test)]
mod window_model;

pub use anonymous::AnonymousLimiter;
pub use key_limiter::KeyLimiter;
pub use key_state::KeyState;
pub use sliding_window::SlidingWindow;
pub use take::{Decision, Grant, Report, TakeRequest};
