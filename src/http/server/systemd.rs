//! What systemd hands us and is told, where it started us (sd_listen_fds(3), sd_notify(3)).
//! Elsewhere nothing happens.

use std::net::TcpListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::http::ServeError;

/// The socket that systemd listens on for us. It stays open while we are replaced: who connects
/// meanwhile is served by the next process.
///
/// # Errors
/// When it is no TCP socket.
pub fn listener() -> Result<Option<TcpListener>, ServeError> {
    ListenFd::from_env().take_tcp_listener(0).map_err(ServeError::PassedSocket)
}

/// That requests are served from now on.
pub fn say_ready() {
    say(NotifyState::Ready);
}

/// That we are about to end.
pub fn say_stopping() {
    say(NotifyState::Stopping);
}

fn say(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(cause = %error, "systemd could not be told how this service is");
    }
}
