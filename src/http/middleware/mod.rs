//! The middleware, one concern per file. `http/mod.rs` has their order.

mod anonymous_limit;
mod authenticate;
mod authorize;
mod boundary;
mod cache;
mod cors;
mod entry_response;
mod hot_path;
mod key_memo;
mod rate_limit;
mod record;
mod request_memo;
mod resource;
mod shared;
mod trace;

pub use anonymous_limit::anonymous_limit;
pub use authenticate::operators_only;
pub use authorize::authorize;
pub use boundary::{boundary, closed_boundary};
pub use hot_path::hot_path;
pub use request_memo::RequestMemo;
pub use resource::{cached, only, uncached};
