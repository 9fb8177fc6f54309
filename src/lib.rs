//! A market data API that one person can run.
//!
//! It serves end-of-day stock prices over HTTP, with API keys, strict rate limits and a cache. One
//! binary runs on Postgres, which holds all data, and on Redis, which holds what instances share.
//!
//! The modules, from top to bottom. Each uses only modules below it:
//!
//! - [`cli`]: the subcommands.
//! - [`http`]: the public API, the pages and the admin API; the only module that uses actix.
//! - [`feed`]: files of market data to checked rows.
//! - [`keys`], [`cache`], [`usage`]: verification of keys, the response cache, usage counts; and
//!   below them [`limiter`]: rate limits. None of them knows HTTP.
//! - [`store`]: Postgres; the only module that uses tokio-postgres.
//! - [`redis`]: the Redis client and its circuit breaker; `tls`: certificates are always verified.
//! - [`config`], [`metrics`]: every setting, every metric.
//! - [`caller`], [`market`], [`route`], `clock`: types and pure logic. They do no I/O, and the time
//!   is an argument.
//!
//! Three things never happen: a key appears in a log, a logged URL or a metric; the text of a
//! database driver appears in a response; a wait has no bound.

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
