//! Responses: bodies, formats, pages, and the one error type.

pub mod answer;
pub mod error;
pub mod format;
pub mod paging;
pub mod store_errors;
pub mod uncached;
