//! Strict sliding-window limits: no trailing 60 seconds contain more requests than the limit.
//!
//! - [`KeyLimiter`] limits keys. With Redis, all instances share one window per key
//!   ([`redis_window`]), and each instance takes permits from it in advance ([`lease`]), so that
//!   most requests need no Redis call. While Redis is unavailable, each instance counts what it
//!   admits itself. Without Redis, it has windows of its own ([`local_windows`]).
//! - [`AnonymousLimiter`] limits requests without a key, by client network and hour.
//!
//! Both count with the same window ([`sliding_window`], or `window.lua` in Redis).

mod anonymous;
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
pub use sliding_window::{SlidingWindow, TIME_SCALE};
pub use take::{Decision, Grant, TakeRequest, WINDOW_S};
