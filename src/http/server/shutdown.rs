//! Shutdown without a failed request.
//!
//! A client may send a request on an open connection at the moment at which the server closes it,
//! and the request is lost. So the server stops in three steps after SIGTERM:
//!
//! 1. For a while, each response has `Connection: close`. Clients close their connections
//!    themselves, and open new ones if they need them.
//! 2. The server accepts no more connections, and waits a moment for the requests of those that it
//!    has just accepted. If the port belongs to this process, it closes: a new connection is
//!    refused at once, and the client connects elsewhere. Otherwise a proxy could send a request
//!    on a connection that is then dropped, and a proxy does not repeat a request that writes.
//! 3. The server closes idle connections, and requests in flight finish.

use std::io;
use std::net::{Shutdown, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use futures_util::future::join_all;
use socket2::SockRef;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::state::State;
use super::systemd;

/// For a connection that was just accepted to send its request: a round trip across an ocean.
const SETTLE: Duration = Duration::from_millis(200);

/// True from the moment the port closes.
static PORT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether a log event comes from the acceptor after the port was closed on purpose.
///
/// accept(2) then fails with EINVAL, which actix-server logs as an error. It has no way to stop its
/// acceptor first: `ServerHandle::pause` returns before the acceptor's thread has paused.
pub fn is_accept_on_closed_port(event: &tracing::Metadata<'_>) -> bool {
    event.target() == ACCEPTOR && PORT_IS_CLOSED.load(Ordering::SeqCst)
}

/// The module that logs errors of accept(2).
pub const ACCEPTOR: &str = "actix_server::accept";

/// The signals that stop the server.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

#[derive(PartialEq, Eq)]
enum StopMode {
    /// SIGTERM, from a service manager: clients get time to connect elsewhere.
    Graceful,
    /// SIGINT, from a person who waits.
    Immediate,
}

impl Signals {
    /// Takes over the signals, which from now on do not end the process.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> StopMode {
        tokio::select! {
            _ = self.terminate.recv() => StopMode::Graceful,
            _ = self.interrupt.recv() => StopMode::Immediate,
        }
    }
}

/// Waits for a signal, then stops the servers.
///
/// `port` is the public port, which closes in the second step. `None` if systemd holds it open for
/// the next process.
pub async fn stop_on_signal(
    mut signals: Signals,
    servers: Vec<ServerHandle>,
    port: Option<TcpListener>,
    state: &'static State,
    drain: Duration,
    on_stop: impl FnOnce(bool),
) {
    let mode = signals.next().await;
    on_stop(mode == StopMode::Graceful);
    systemd::notify_stopping();
    state.draining.store(true, Ordering::Relaxed);
    state.port_closes.store(port.is_some(), Ordering::Relaxed);
    if mode == StopMode::Graceful {
        let drained = async {
            tokio::time::sleep(drain).await;
            // Before the pause: the acceptor accepts up to the last moment, so that no connection
            // waits in the system's queue, which the system resets with the port. The servers have
            // duplicates of the socket, and a shutdown applies to all of them. If the system does
            // not support it, the port closes with the process.
            if let Some(port) = &port {
                PORT_IS_CLOSED.store(true, Ordering::SeqCst);
                let _ = SockRef::from(port).shutdown(Shutdown::Both);
            }
            join_all(servers.iter().map(ServerHandle::pause)).await;
            tokio::time::sleep(SETTLE).await;
        };
        // A second signal ends the wait.
        tokio::select! {
            () = drained => {}
            _ = signals.next() => {}
        }
    }
    // The servers close their duplicates.
    drop(port);
    join_all(servers.iter().map(|server| server.stop(true))).await;
}
