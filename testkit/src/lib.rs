//! What `tickerd demo`, the tests and the load test share. Nothing here depends on tickerd.
//!
//! - [`servers`]: a Postgres and a Redis on 127.0.0.1 that end with this process
//! - [`figures`]: writes what a test measured into the document on reliability

#![forbid(unsafe_code)]

pub mod figures;
pub mod servers;
