//! Making responses: bodies, formats, paging, and the one error type.

pub mod answer;
mod conversions;
pub mod document;
pub mod error;
pub mod format;
pub mod paging;
pub mod uncached;
