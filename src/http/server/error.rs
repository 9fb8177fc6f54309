//! The errors that keep the server from starting or from running.

use std::io;
use std::net::SocketAddr;

use super::admin_token::AdminTokenError;
use crate::redis::RedisError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
    /// `setting` is the flag, and the variable, that chooses another port.
    #[error(
        "port {} of {} is taken: stop the program that uses it, or choose another with {setting}",
        address.port(), address.ip()
    )]
    PortTaken { address: SocketAddr, setting: &'static str },
    #[error("can't listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(
        "the socket that systemd passed can't be used ({0}): \
         expected one ListenStream= with a TCP port in tickerd.socket"
    )]
    PassedSocket(#[source] io::Error),
    #[error("the server failed: {0}")]
    Run(#[source] io::Error),
}
