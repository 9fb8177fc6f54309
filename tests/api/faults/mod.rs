//! Failures, overload and attacks, caused in real processes. docs/reliability.md has the results.
//!
//! Slow tests, and tests that need extra programs or root, are ignored by default. `make
//! test-faults` runs them one after the other.

mod change_notifications;
mod clocks;
mod connections;
mod disk;
mod failover;
mod fixtures;
mod history;
mod hostile;
mod idle;
mod ingest;
mod overload;
mod pipelined;
mod postgres;
mod redis;
mod redis_data_loss;
mod redis_fixtures;
mod redis_server;
mod reliability_page;
mod slow_clients;
mod stopping;
mod streams;
mod timing;
pub mod wrong_keys;
