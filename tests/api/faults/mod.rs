//! Harm done to real processes, and what is seen of it.

mod harm;
mod ingest;
