//! Reading a request: parameters, bodies, the client's address, the cost, and the request's context.

pub mod body;
#[doc(hidden)] // for the benchmarks
pub mod cacheable_query;
pub mod client_address;
pub mod context;
pub mod cost;
pub mod parameter;
pub mod query;
