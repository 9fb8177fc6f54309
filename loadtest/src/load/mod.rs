//! The load generators: oha, pgbench, and a generator for many keys and given request rates.

pub mod client;
pub mod generator;
pub mod oha;
pub mod pgbench;
pub mod response_stats;
pub mod schedule;
pub mod traffic;
