//! The progress of the requests on one connection.
//!
//! The middleware and the body extractor report here when a request and its body begin and end.
//! The connection (`connection.rs`) reports what is read and written. Together they tell whether
//! the connection waits for the client, and whether it has read enough ahead.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::header::{HeaderName, HeaderValue};
use tokio::time::Instant;

/// Bytes that are read ahead while a request is processed, besides a body that is being read.
///
/// With more than 128 KiB of unused bytes, actix would poll for the next byte without a pause.
const AHEAD_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
enum Turn {
    /// A request is being processed or its response sent.
    Responding,
    /// The next bytes come from the client.
    AwaitingClient {
        /// Set on the first wait: most requests arrive whole, and reading the clock costs time.
        since: Option<Instant>,
        /// Whether a part of the next request, or of the open body, has arrived.
        started: bool,
    },
}

impl Turn {
    const fn awaiting_client(started: bool) -> Self {
        Self::AwaitingClient { since: None, started }
    }
}

pub struct Progress {
    turn: Cell<Turn>,
    /// An upper bound of the bytes that were read and belong to no request yet.
    ahead: Cell<usize>,
    /// All requests that were read are answered, and nothing was read since.
    is_idle: Cell<bool>,
    /// The body of the request has no declared length, and its end has not been seen.
    body_is_open: Cell<bool>,
    /// A handler is reading the body.
    body_is_read: Cell<bool>,
}

/// Marks a request as being processed until it is dropped.
pub struct RespondingGuard(Option<Rc<Progress>>);

/// Marks a body as being read until it is dropped.
pub struct BodyReadGuard(Option<Rc<Progress>>);

impl Progress {
    pub fn new() -> Self {
        Self {
            turn: Cell::new(Turn::awaiting_client(false)),
            ahead: Cell::default(),
            is_idle: Cell::default(),
            body_is_open: Cell::default(),
            body_is_read: Cell::default(),
        }
    }

    /// Called when the head of a request is read. `body_is_open`: it has a body of unknown length.
    pub fn begin(
        progress: Option<&Rc<Self>>,
        head: &RequestHead,
        body_is_open: bool,
    ) -> RespondingGuard {
        if let Some(progress) = progress {
            progress.has_read_head(head);
            progress.turn.set(Turn::Responding);
            progress.body_is_open.set(body_is_open);
        }
        RespondingGuard(progress.cloned())
    }

    /// Called in the place of [`Self::begin`] if the request has no body and is answered at once.
    pub fn answer_at_once(&self, head: &RequestHead) {
        self.has_read_head(head);
        self.turn.set(Turn::awaiting_client(false));
        self.body_is_open.set(false);
    }

    fn has_read_head(&self, head: &RequestHead) {
        self.is_idle.set(false);
        let ahead = self.ahead.get();
        // Counted only for pipelined requests: a read after an idle moment starts anew.
        if ahead > AHEAD_BYTES / 2 {
            self.ahead.set(ahead.saturating_sub(head_bytes(head)));
        }
    }

    /// Called when a handler reads the body, which then may be longer than [`AHEAD_BYTES`].
    pub fn read_body(request: &HttpRequest) -> BodyReadGuard {
        let progress = request.conn_data::<Rc<Self>>().cloned();
        progress.iter().for_each(|progress| progress.body_is_read.set(true));
        BodyReadGuard(progress)
    }

    /// When the client will have exceeded `head`, the time for a request or the rest of an unread
    /// body, or `idle`, the time before the first byte. `None` while a request is processed.
    pub fn deadline(&self, head: Duration, idle: Duration) -> Option<Instant> {
        match self.turn.get() {
            Turn::Responding => None,
            Turn::AwaitingClient { since, started } => {
                let since = since.unwrap_or_else(Instant::now);
                self.turn.set(Turn::AwaitingClient { since: Some(since), started });
                Some(since + if started { head } else { idle })
            }
        }
    }

    /// Whether no more may be read ahead of the request that is processed.
    pub fn has_read_enough(&self) -> bool {
        let ignores_body = matches!(self.turn.get(), Turn::Responding) && !self.body_is_read.get();
        ignores_body && self.ahead.get() >= AHEAD_BYTES
    }

    /// Called when the socket has no more bytes to read.
    pub fn has_read_all(&self) {
        self.is_idle.set(matches!(self.turn.get(), Turn::AwaitingClient { .. }));
    }

    pub fn has_read(&self, bytes: usize) {
        if self.is_idle.take() {
            self.ahead.set(0);
        }
        if !self.body_is_read.get() {
            self.ahead.set(self.ahead.get() + bytes);
        }
        if let Turn::AwaitingClient { started: false, .. } = self.turn.get()
            && bytes > 0
        {
            self.turn.set(Turn::awaiting_client(true));
        }
    }

    /// Called when a part of a response was written, so the request before it was complete. The
    /// rest of an open body may still come.
    pub fn has_written(&self) {
        if let Turn::AwaitingClient { .. } = self.turn.get() {
            self.turn.set(Turn::awaiting_client(self.body_is_open.get()));
        }
    }
}

/// The size of the head of a request in its usual form.
fn head_bytes(head: &RequestHead) -> usize {
    let url_bytes = head.uri.path_and_query().map_or(0, |url| url.as_str().len());
    let line = head.method.as_str().len() + url_bytes + "  HTTP/1.1\r\n".len();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    line + head.headers.iter().map(header).sum::<usize>() + "\r\n".len()
}

impl RespondingGuard {
    /// Whether the rest of a body, of unknown length, was not read.
    pub fn leaves_body_open(&self) -> bool {
        self.0.as_ref().is_some_and(|progress| progress.body_is_open.get())
    }
}

impl BodyReadGuard {
    /// Called when the body was read to its end.
    pub fn finish(self) {
        self.0.iter().for_each(|progress| progress.body_is_open.set(false));
    }
}

impl Drop for BodyReadGuard {
    fn drop(&mut self) {
        self.0.iter().for_each(|progress| progress.body_is_read.set(false));
    }
}

impl Drop for RespondingGuard {
    fn drop(&mut self) {
        if let Some(progress) = &self.0 {
            progress.turn.set(Turn::awaiting_client(false));
        }
    }
}
