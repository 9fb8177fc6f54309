//! A market data API that one person can run: end-of-day stock prices over HTTP, with API keys,
//! strict limits and a cache, from one binary on Postgres (the truth) and Redis (what instances
//! share).
//!
//! The rooms, in reading order. Each may use those below it, none above:
//!
//! - [`cli`]: what operators type
//! - [`http`]: what callers ask; the only room that knows actix
//! - [`feed`]: files of market data to checked rows
//! - [`keys`], [`limiter`], [`cache`], [`usage`]: who calls, may they go on, was it answered
//!   before, how much was it; they know nothing of HTTP
//! - [`store`]: Postgres; the only room that knows tokio-postgres
//! - [`redis`]: the one client and its breaker; `tls`: certificates are always verified
//! - [`caller`], [`market`], [`route`], [`config`], `clock`: types and pure logic; no I/O, and the
//!   time is an argument
//!
//! What must never be: a key in a log, a URL or a metric; a driver's text in an answer; a wait
//! without a bound.

#![forbid(unsafe_code)]

pub mod cache;
pub mod caller;
pub mod cli;
mod clock;
pub mod config;
pub mod feed;
pub mod http;
pub mod keys;
pub mod limiter;
pub mod market;
pub mod metrics;
pub mod redis;
pub mod route;
pub mod store;
mod tls;
pub mod usage;
