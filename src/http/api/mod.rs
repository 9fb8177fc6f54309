//! The endpoints under `/api` and `/health`, one module per resource.

pub mod calendar;
pub mod chart;
pub mod events;
mod exchange_filter;
pub mod exchanges;
pub mod health;
pub mod market_status;
#[doc(hidden)] // for the benchmarks
pub mod prices;
pub mod quote;
pub mod revisions;
pub mod status;
pub mod stocks;
pub mod usage;
pub mod watchlists;
