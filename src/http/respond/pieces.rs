//! A long body, given to the connection in pieces.
//!
//! The connection copies what it is given and keeps the copy until the client has taken it. A body
//! that lies in the cache is so held once, however many clients read it slowly.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

use crate::http::server::streams::StreamPermit;

/// The part of a body that is given to the connection at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The size from which on a body counts as a stream of its key while it is sent: a slow reader
/// would hold it.
const LONG_BODY_BYTES: u64 = 256 * 1024;

/// The unsent rest of a body.
struct Pieces {
    unsent: Bytes,
    _permit: Option<StreamPermit<'static>>,
}

/// Whether a body counts as a stream while it is sent.
pub fn is_long(size: BodySize) -> bool {
    matches!(size, BodySize::Sized(bytes) if bytes > LONG_BODY_BYTES)
}

/// Sends a body in pieces if it is longer than one piece. `permit` lives until all are sent.
pub fn in_pieces(body: BoxBody, permit: Option<StreamPermit<'static>>) -> BoxBody {
    match body.size() {
        BodySize::Sized(bytes) if bytes > PIECE_BYTES as u64 => match body.try_into_bytes() {
            Ok(unsent) => BoxBody::new(Pieces { unsent, _permit: permit }),
            // It is sent in pieces already.
            Err(body) => body,
        },
        _ => body,
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.unsent.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let piece_bytes = self.unsent.len().min(PIECE_BYTES);
        let piece = self.unsent.split_to(piece_bytes);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}
