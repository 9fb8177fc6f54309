//! A long body, given to the connection in pieces.
//!
//! The connection copies what it is given and keeps the copy until the client has taken it. A body
//! that lies in the cache is so held once, however many clients read it slowly.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

/// The part of a body that is given to the connection at once.
const PIECE_BYTES: usize = 64 * 1024;

/// The unsent rest of a body.
struct Pieces(Bytes);

/// Sends a body in pieces if it is longer than one piece.
pub fn in_pieces(body: BoxBody) -> BoxBody {
    match body.size() {
        BodySize::Sized(bytes) if bytes > PIECE_BYTES as u64 => match body.try_into_bytes() {
            Ok(bytes) => BoxBody::new(Pieces(bytes)),
            Err(body) => body,
        },
        _ => body,
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let piece_bytes = self.0.len().min(PIECE_BYTES);
        let piece = self.0.split_to(piece_bytes);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        Ok(self.0)
    }
}
