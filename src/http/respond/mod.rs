//! Making responses: successful ones, errors, formats and paging.

mod conversions;
pub mod document;
pub mod error;
pub mod format;
pub mod paging;
pub mod pieces;
mod sentences;
pub mod success;
pub mod uncached;
