//! The tests that drive the real binary, against a real Postgres and a real Redis that they start
//! themselves.
//!
//! Each test has a database and a key prefix of its own, and its servers listen on ports that the
//! system chose.

mod support;

mod adjustment;
mod admin;
mod admin_keys;
mod audit;
mod auth;
mod bad_input;
mod cache;
mod calendar;
mod chart;
mod contract;
mod demo;
mod dependencies;
mod deploy;
mod documents;
mod events;
mod faults;
mod feeds;
mod finding;
mod generate;
mod getting_started;
mod hints;
mod ingest;
mod keys;
mod killed;
mod layout;
mod limits;
mod metrics;
mod migrate;
mod operators;
mod page;
mod plans;
mod prices;
mod reference;
mod registry;
mod release;
mod renamed_settings;
mod restart;
mod rotation;
mod scale;
mod secrets;
mod soak;
mod structure;
mod symbols;
mod tiers;
mod tls;
mod traces;
mod usage;
mod visitors;
mod watchlists;
mod weights;
