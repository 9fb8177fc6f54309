//! Failures, load and attacks, caused in real processes. docs/reliability.md has the results.
//!
//! Those that take long, or a machine of their own, are left out by default and run by
//! `make test-faults`, one after the other.

mod apart;
mod clocks;
mod connections;
mod disk;
mod documented;
mod failover;
mod following;
mod harm;
mod hostile;
mod idle;
mod ingest;
mod overload;
mod pipelined;
mod postgres;
mod redis;
mod redis_server;
mod shared;
mod slow_clients;
mod stopping;
mod streams;
mod timing;
pub mod wrong_keys;
