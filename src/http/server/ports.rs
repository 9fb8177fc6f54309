//! The ports of the server.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::error::ServeError;
use super::systemd;
use crate::config::{AdminConfig, AdminPort, HttpConfig};

/// Connections that the kernel holds until a worker accepts them.
const BACKLOG: u32 = 1024;

/// The ports, bound and listening.
pub struct Listeners {
    pub public: TcpListener,
    /// Whether this process opened the public port. Then the port closes at shutdown, so that new
    /// connections are refused. A port of systemd stays open for the next process.
    pub owns_public_port: bool,
    /// `None` if the admin port is disabled.
    pub admin: Option<TcpListener>,
}

impl Listeners {
    /// Opens the ports. The public one may come from systemd.
    ///
    /// # Errors
    /// When a port can't be opened.
    pub fn take(http: &HttpConfig, admin: &AdminConfig) -> Result<Self, ServeError> {
        let passed = systemd::listener()?;
        let owns_public_port = passed.is_none();
        let public = match passed {
            Some(passed) => passed,
            None => listen(SocketAddr::new(http.host, http.port), "--port (PORT)")?,
        };
        let admin = match admin.admin_port {
            AdminPort::Off => None,
            AdminPort::At(port) => {
                Some(listen(SocketAddr::new(admin.admin_host, port), "--admin-port (ADMIN_PORT)")?)
            }
        };
        Ok(Self { public, owns_public_port, admin })
    }
}

/// Opens a port. `setting` chooses another one.
fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ServeError> {
    let error = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortTaken { address, setting },
        _ => ServeError::Listen { address, source },
    };
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    };
    let socket = socket.map_err(error)?;
    // A restart does not wait until old connections time out.
    socket.set_reuseaddr(true).map_err(error)?;
    socket.bind(address).map_err(error)?;
    socket.listen(BACKLOG).and_then(tokio::net::TcpListener::into_std).map_err(error)
}
