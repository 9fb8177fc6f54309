//! The tests that drive the real binary, against a real Postgres and a real Redis that they start
//! themselves.
//!
//! Each test has a database and a key prefix of its own, and its servers listen on ports that the
//! system chose.

mod support;

mod adjusted_numbers;
mod adjustment;
mod admin;
mod admin_keys;
mod anonymous_limits;
mod audit;
mod auth;
mod bad_input;
mod cache;
mod calendar;
mod calendar_reference;
mod chart;
mod command_errors;
mod contract;
mod costs;
mod deletions;
mod demo;
mod dependencies;
mod deploy;
mod documents;
mod environment;
mod event_types;
mod events;
mod exchanges;
mod faults;
mod feeds;
mod generate;
mod getting_started;
mod ingest;
mod ingest_killed;
mod key_management;
mod keys;
mod limits;
mod load_guards;
mod market_status;
mod metrics;
mod migrate;
mod page;
mod prices;
mod query_plans;
mod redis_user;
mod reference;
mod reference_data;
mod release;
mod restart;
mod rotation;
mod scale;
mod secret_hints;
mod secrets;
mod soak;
mod stock_search;
mod structure;
mod symbols;
mod table_layout;
mod tiers;
mod tls;
mod traces;
mod usage;
mod vendor_files;
mod watchlists;
