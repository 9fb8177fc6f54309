//! What asks: oha, pgbench, and a client of our own for what they can't do (many keys, a given
//! pace).

pub mod client;
pub mod generator;
pub mod oha;
pub mod pgbench;
pub mod schedule;
pub mod tally;
pub mod traffic;
