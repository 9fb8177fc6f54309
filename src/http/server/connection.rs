//! A client's connection, which ends when the client keeps us waiting.
//!
//! The framework bounds the first head of a connection, and how long it idles. Without end it would
//! wait for each later head, for what is left of a body that nobody reads, and for a client to take
//! its answers; and it would go on reading requests from who takes no answers, and keep those in
//! memory. All that can be seen where bytes go in and out.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is read before others get their turn: some hundred pipelined requests.
const BURST_BYTES: usize = 16 * 1024;
/// What is read ahead while a request is being answered, beside a body that somebody reads. With
/// more than 128 KiB that it can do nothing with, the framework would ask for the next byte over
/// and over.
const AHEAD_BYTES: usize = 64 * 1024;
/// What the system holds for a client beside what is on its way. By default it is up to 4 MB. It
/// says that there is room once half of it is taken (tcp(7), TCP_NOTSENT_LOWAT): so much a client
/// has to take to count as one that takes something.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 128 * 1024;

/// How long a client may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the head of a request, from its first byte, and for what is left of a body that nobody
    /// reads.
    pub head: Duration,
    /// For the first byte of a request. The framework closes idle connections in a better way: this
    /// is to be longer.
    pub idle: Duration,
    /// For room to send more of an answer.
    pub stall: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Turn {
    /// A request is being answered.
    Responding,
    /// `asked`: a part of what the client has to send has come. `since` is looked up by the first
    /// who has to wait: most requests come whole, and the clock would be read several times for
    /// each.
    AwaitingClient { since: Option<Instant>, asked: bool },
}

impl Turn {
    const fn awaiting_client(asked: bool) -> Self {
        Self::AwaitingClient { since: None, asked }
    }
}

/// What a connection knows of its requests: the boundary notes it here.
pub struct Progress {
    turn: Cell<Turn>,
    /// Bytes that were read and, as far as is known, not used for a request yet: no less than there
    /// are.
    ahead: Cell<usize>,
    /// The client was waited for, and nothing has come since.
    is_idle: Cell<bool>,
    /// A body of unknown length, of which nobody has seen the end.
    body_is_open: Cell<bool>,
    /// Somebody reads the body.
    body_is_read: Cell<bool>,
}

/// A request that is being answered, until this is dropped.
pub struct Answering(Option<Rc<Progress>>);

/// A body that is being read, until this is dropped.
pub struct Reading(Option<Rc<Progress>>);

impl Progress {
    /// `body_is_open`: the request has a body whose length is not told before.
    pub fn begin(request: &HttpRequest, body_is_open: bool) -> Answering {
        let progress = request.conn_data::<Rc<Self>>().cloned();
        if let Some(progress) = &progress {
            progress.turn.set(Turn::Responding);
            progress.is_idle.set(false);
            progress.body_is_open.set(body_is_open);
            let ahead = progress.ahead.get();
            // Of one request at a time it is forgotten when the next one comes.
            if ahead > AHEAD_BYTES / 2 {
                progress.ahead.set(ahead.saturating_sub(head_bytes(request)));
            }
        }
        Answering(progress)
    }

    /// The body is what we wait for now, and read as it comes.
    pub fn read_body(request: &HttpRequest) -> Reading {
        let progress = request.conn_data::<Rc<Self>>().cloned();
        progress.iter().for_each(|progress| progress.body_is_read.set(true));
        Reading(progress)
    }
}

/// The head of a request as it is usually written.
fn head_bytes(request: &HttpRequest) -> usize {
    let line =
        request.method().as_str().len() + request.uri().to_string().len() + "  HTTP/1.1\r\n".len();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    line + request.headers().iter().map(header).sum::<usize>() + "\r\n".len()
}

impl Answering {
    /// Whether there is more of a body than was read, nobody knows how much.
    pub fn leaves_body_open(&self) -> bool {
        self.0.as_ref().is_some_and(|progress| progress.body_is_open.get())
    }
}

impl Reading {
    /// The body was read to its end.
    pub fn ends(self) {
        self.0.iter().for_each(|progress| progress.body_is_open.set(false));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.iter().for_each(|progress| progress.body_is_read.set(false));
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(progress) = &self.0 {
            progress.turn.set(Turn::awaiting_client(false));
        }
    }
}

pub struct Connection {
    socket: TcpStream,
    timeouts: Timeouts,
    progress: Rc<Progress>,
    /// Since when what we have to send finds no room.
    unsent_since: Option<Instant>,
    /// Reading was put off, and no one else will say when to go on.
    put_off: bool,
    burst: usize,
    /// Goes off no later than something is due; it may be for what has happened since.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// # Errors
    /// When the system refuses what is asked of the socket.
    pub fn new(socket: TcpStream, timeouts: Timeouts) -> io::Result<Self> {
        // What is streamed goes out in several writes: each after the first would wait for the
        // client's delayed acknowledgement, 40 ms (RFC 896 with RFC 1122, 4.2.3.2).
        socket.set_nodelay(true)?;
        // Other systems say that there is room once a third or so of what they hold is taken: a
        // slow client has to take more there before it counts as one that takes something.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES)?;
        let turn = Cell::new(Turn::awaiting_client(false));
        let progress = Rc::new(Progress {
            turn,
            ahead: Cell::default(),
            is_idle: Cell::default(),
            body_is_open: Cell::default(),
            body_is_read: Cell::default(),
        });
        Ok(Self {
            socket,
            timeouts,
            progress,
            unsent_since: None,
            put_off: false,
            burst: 0,
            alarm: None,
        })
    }

    /// For the requests of this connection.
    pub fn progress(&self) -> Rc<Progress> {
        self.progress.clone()
    }

    /// When the client will have kept us waiting for too long.
    fn due(&self) -> Option<Instant> {
        let theirs = match self.progress.turn.get() {
            Turn::Responding => None,
            Turn::AwaitingClient { since, asked } => {
                let since = since.unwrap_or_else(Instant::now);
                self.progress.turn.set(Turn::AwaitingClient { since: Some(since), asked });
                Some(since + if asked { self.timeouts.head } else { self.timeouts.idle })
            }
        };
        let taken = self.unsent_since.map(|since| since + self.timeouts.stall);
        theirs.into_iter().chain(taken).min()
    }

    /// Fails once something is overdue; until then, sees to it that we are woken for it.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(due) = self.due() {
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            // An earlier one is left as it is: setting a timer with each request would cost each
            // request.
            if alarm.deadline() > due {
                alarm.as_mut().reset(due);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                break;
            }
            self.alarm = None;
            if due <= Instant::now() {
                // Nobody waits for it: the system is not to keep what was not taken.
                self.socket.set_zero_linger()?;
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// Whether more is not to be read for now: who takes no answers gets none to more questions.
    fn has_enough(&self) -> bool {
        let is_busy = matches!(self.progress.turn.get(), Turn::Responding)
            && !self.progress.body_is_read.get();
        self.unsent_since.is_some() || is_busy && self.progress.ahead.get() >= AHEAD_BYTES
    }

    fn has_read(&mut self, bytes: usize) {
        self.burst += bytes;
        let progress = &self.progress;
        if progress.is_idle.take() {
            progress.ahead.set(0);
        }
        if !progress.body_is_read.get() {
            progress.ahead.set(progress.ahead.get() + bytes);
        }
        if let Turn::AwaitingClient { asked: false, .. } = self.progress.turn.get()
            && bytes > 0
        {
            self.progress.turn.set(Turn::awaiting_client(true));
        }
    }

    fn has_written(&mut self) {
        self.unsent_since = None;
        // An answer goes out, so what had come was a request; of its body there may be more to
        // come.
        if let Turn::AwaitingClient { .. } = self.progress.turn.get() {
            let asked = self.progress.body_is_open.get();
            self.progress.turn.set(Turn::awaiting_client(asked));
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.has_enough() {
            this.put_off = true;
        } else if this.burst >= BURST_BYTES {
            cx.waker().wake_by_ref();
        } else {
            let before = buf.filled().len();
            if let Poll::Ready(read) = Pin::new(&mut this.socket).poll_read(cx, buf) {
                this.has_read(buf.filled().len() - before);
                return Poll::Ready(read);
            }
            // What has come was made requests of, and those are answered.
            this.progress
                .is_idle
                .set(matches!(this.progress.turn.get(), Turn::AwaitingClient { .. }));
        }
        this.burst = 0;
        this.check(cx)?;
        Poll::Pending
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if wrote.is_ready() {
            self.has_written();
        } else {
            self.unsent_since.get_or_insert_with(Instant::now);
            self.check(cx)?;
        }
        wrote
    }

    /// The framework calls it after each step of an answer, when the turn may have changed.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        if self.put_off && !self.has_enough() {
            self.put_off = false;
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
