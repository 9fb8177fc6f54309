//! Faults, load and attack, made to happen to real processes. RELIABILITY.md says what was seen.
//!
//! Those that take long, or a machine of their own, are left out by default and run by `make test-faults`, one after the
//! other.

mod documented;
mod following;
mod redis;
mod timing;
