//! More than one machine, on engines that exist: a Postgres replica, PgBouncer, a Redis Cluster,
//! nginx.
//!
//! What needs more than Postgres and Redis is left out by default and run by `make test-scale`,
//! which installs it: it is compiled and linted with all others, and stands on the same support.

mod cluster;
mod pooler;
pub mod proxy;
mod replica;
mod units;
mod whole;
