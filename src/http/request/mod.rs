//! Reading a request: parameters, bodies, the address of the client, the cost, and the context
//! that middleware and handlers share.

pub mod body;
#[doc(hidden)] // for the benchmarks
pub mod cacheable_query;
pub mod client_address;
pub mod context;
pub mod cost;
pub mod negotiation;
pub mod parameter;
pub mod query;
