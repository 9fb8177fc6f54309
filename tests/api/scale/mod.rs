//! Several instances on real engines: a Postgres replica, PgBouncer, a Redis Cluster, Sentinels,
//! nginx and Caddy.
//!
//! Tests that need more than Postgres and Redis are ignored by default. `make test-scale` installs
//! the other programs and runs them.

mod all_engines;
mod cluster;
mod pooler;
pub mod proxy;
mod replica;
mod sentinel;
mod systemd_units;
