//! Stopping without failing a request.
//!
//! A client that keeps its connection can't know that we are about to close it: its next request
//! may cross the close on the way and is lost. So after SIGTERM each answer first says
//! `Connection: close` for a while, with which a client ends the connection itself and opens
//! another. Then nothing more is accepted, and those who were just let in get to ask. A port of our
//! own is closed by then, so that whoever comes is refused at once and asks elsewhere: a connection
//! that is held and then dropped may have carried a request, which a proxy does not send twice
//! where it writes. What still stays idle after that is closed by the server, and whatever is in
//! flight finishes.

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

/// For connections that were just accepted to send their request: a round trip across an ocean.
const SETTLE: Duration = Duration::from_millis(200);

/// True from the moment the port closes.
static PORT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether a log event reports that the acceptor met the port that we closed.
///
/// `ServerHandle::pause` asks the acceptor's thread to stop accepting and does not wait until it
/// has. If the port closes first, accept(2) fails with EINVAL, which actix-server logs as an error.
pub fn is_accept_on_closed_port(event: &tracing::Metadata<'_>) -> bool {
    event.target() == ACCEPTOR && PORT_IS_CLOSED.load(Ordering::SeqCst)
}

/// The module that logs errors of accept(2).
pub const ACCEPTOR: &str = "actix_server::accept";

/// What ends a server.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

#[derive(PartialEq, Eq)]
enum Ending {
    /// SIGTERM: a service manager, which starts another process or takes this one out of use.
    InOrder,
    /// SIGINT: a person who waits.
    AtOnce,
}

impl Signals {
    /// From here on these signals end nothing by themselves.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.terminate.recv() => Ending::InOrder,
            _ = self.interrupt.recv() => Ending::AtOnce,
        }
    }
}

/// Waits for a signal, then stops the servers. Meanwhile answers tell their clients to connect
/// anew. `port` is closed with the end of that; `None` where somebody else holds it open for the
/// next process.
pub async fn stop_on_signal(
    mut signals: Signals,
    servers: Vec<ServerHandle>,
    port: Option<TcpListener>,
    state: &'static State,
    drain: Duration,
    on_stop: impl FnOnce(bool),
) {
    let ending = signals.next().await;
    on_stop(ending == Ending::InOrder);
    systemd::say_stopping();
    state.draining.store(true, Ordering::Relaxed);
    state.port_closes.store(port.is_some(), Ordering::Relaxed);
    if ending == Ending::InOrder {
        let drained = async {
            tokio::time::sleep(drain).await;
            join_all(servers.iter().map(ServerHandle::pause)).await;
            // The servers have it open, too: only so is it closed for all. Where a system can't, it
            // closes with the process.
            if let Some(port) = &port {
                PORT_IS_CLOSED.store(true, Ordering::SeqCst);
                let _ = SockRef::from(port).shutdown(Shutdown::Both);
            }
            tokio::time::sleep(SETTLE).await;
        };
        // A second signal cuts it short.
        tokio::select! {
            () = drained => {}
            _ = signals.next() => {}
        }
    }
    // From here on it is the servers' to close.
    drop(port);
    join_all(servers.iter().map(|server| server.stop(true))).await;
}
