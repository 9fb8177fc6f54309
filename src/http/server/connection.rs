//! A connection that is closed when its client stalls.
//!
//! actix bounds the time for the first request head of a connection, and the idle time. It would
//! wait without a bound for the head of a later request, for the rest of a body that no handler
//! reads, and for a client that does not take its response. It would also read more requests of
//! such a client and keep them in memory. This type sits between actix and the socket, where all of
//! that is visible.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::progress::Progress;

/// Bytes that are read before other connections get their turn: some hundred pipelined requests.
const BURST_BYTES: usize = 16 * 1024;
/// Unsent bytes that the kernel holds per client; its default is up to 4 MB.
///
/// Linux reports room to write when half of it is sent (tcp(7), TCP_NOTSENT_LOWAT). So a client
/// must take 64 KiB to count as one that does not stall.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 128 * 1024;

/// How long a connection waits for its client.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the head of a request, from its first byte, and for the rest of an unread body.
    pub head: Duration,
    /// For the first byte of a request. Longer than the idle time of actix, which closes idle
    /// connections with a proper shutdown.
    pub idle: Duration,
    /// For the client to take more of a response.
    pub stall: Duration,
}

pub struct Connection {
    socket: TcpStream,
    timeouts: Timeouts,
    progress: Rc<Progress>,
    /// Since when the socket has no room for more of a response.
    unsent_since: Option<Instant>,
    /// A read was refused. The task must be woken when reading may continue.
    read_is_paused: bool,
    /// Bytes that were read without a pause.
    burst: usize,
    /// Fires at the deadline or before it. Deadlines often move back, and the timer stays.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// # Errors
    /// When the system rejects an option of the socket.
    pub fn new(socket: TcpStream, timeouts: Timeouts) -> io::Result<Self> {
        // A stream goes out in several writes. Without this option, each write after the first
        // waits 40 ms for the client's delayed acknowledgement (RFC 896 with RFC 1122, 4.2.3.2).
        socket.set_nodelay(true)?;
        // Other systems report room to write when about a third of their larger buffer is sent.
        // There a slow client must take more to count as one that does not stall.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES)?;
        Ok(Self {
            socket,
            timeouts,
            progress: Rc::new(Progress::new()),
            unsent_since: None,
            read_is_paused: false,
            burst: 0,
            timer: None,
        })
    }

    /// The progress that the requests of this connection report to.
    pub fn progress(&self) -> Rc<Progress> {
        self.progress.clone()
    }

    /// When the client will have exceeded a timeout.
    fn deadline(&self) -> Option<Instant> {
        let request = self.progress.deadline(self.timeouts.head, self.timeouts.idle);
        let response = self.unsent_since.map(|since| since + self.timeouts.stall);
        request.into_iter().chain(response).min()
    }

    /// Fails if the deadline has passed. Otherwise makes sure that the task is woken then.
    fn check_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(deadline) = self.deadline() {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            // A timer that fires earlier stays: setting it anew would cost every request time.
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
            self.timer = None;
            if deadline <= Instant::now() {
                // The client does not take the unsent bytes, so the kernel drops them.
                self.socket.set_zero_linger()?;
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// Whether nothing more is read for now. The server reads no more requests of a client that
    /// takes no responses.
    fn pauses_reading(&self) -> bool {
        self.unsent_since.is_some() || self.progress.has_read_enough()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.pauses_reading() {
            this.read_is_paused = true;
        } else if this.burst >= BURST_BYTES {
            cx.waker().wake_by_ref();
        } else {
            let before = buf.filled().len();
            if let Poll::Ready(read) = Pin::new(&mut this.socket).poll_read(cx, buf) {
                let bytes = buf.filled().len() - before;
                this.burst += bytes;
                this.progress.has_read(bytes);
                return Poll::Ready(read);
            }
            this.progress.has_read_all();
        }
        this.burst = 0;
        this.check_deadline(cx)?;
        Poll::Pending
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if written.is_ready() {
            self.unsent_since = None;
            self.progress.has_written();
        } else {
            self.unsent_since.get_or_insert_with(Instant::now);
            self.check_deadline(cx)?;
        }
        written
    }

    /// actix calls it after each step of a response, when the state of the request may have
    /// changed.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_deadline(cx)?;
        if self.read_is_paused && !self.pauses_reading() {
            self.read_is_paused = false;
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
