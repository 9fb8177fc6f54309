//! The interface to systemd: a socket that it passes (sd_listen_fds(3)), and notifications
//! (sd_notify(3)). Without systemd, nothing happens.

use std::net::TcpListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use super::error::ServeError;

/// The socket that systemd passed, if any. It stays open while this process is replaced: clients
/// that connect meanwhile are served by the next process.
///
/// # Errors
/// When it is not a TCP socket.
pub fn listener() -> Result<Option<TcpListener>, ServeError> {
    ListenFd::from_env().take_tcp_listener(0).map_err(ServeError::PassedSocket)
}

/// Notifies systemd that requests are served from now on.
pub fn notify_ready() {
    notify(NotifyState::Ready);
}

/// Notifies systemd that the process is about to end.
pub fn notify_stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(cause = %error, "systemd can't be notified");
    }
}
