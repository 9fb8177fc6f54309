//! A private PostgreSQL server.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::guard::{Guard, Launch};
use super::launch::{PickPort, free_port, on_free_port};
use super::place::Home;
use super::programs::POSTGRES;
use super::{PrivateError, initdb, programs, stale};

/// What a crash of the machine may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: for data that people keep.
    Durable,
    /// Everything, for speed and many connections: for tests.
    Throwaway,
}

impl Durability {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Durable => &["max_connections=100", "shared_buffers=128MB"],
            Self::Throwaway => &[
                "max_connections=300",
                "shared_buffers=128MB",
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
            ],
        }
    }
}

/// A running private PostgreSQL. Dropping it stops the server; its data stays.
pub struct PrivatePostgres {
    // Dropped first: the server must be gone before the lock is.
    guard: Guard,
    _home: Home,
    port: u16,
    password: SecretString,
}

impl PrivatePostgres {
    /// Starts PostgreSQL with its data in `dir/postgres`, made on first use,
    /// and returns when it accepts connections.
    ///
    /// `dir` should come from [`choose_dir`](super::choose_dir).
    ///
    /// # Errors
    ///
    /// [`PrivateError::MissingBinary`] when PostgreSQL is not installed,
    /// [`PrivateError::InUse`] when another process uses `dir`, and every
    /// other variant for what its name says.
    pub fn start(dir: &Path, durability: Durability) -> Result<Self, PrivateError> {
        Self::start_on(dir, durability, &mut free_port)
    }

    pub(super) fn start_on(
        dir: &Path,
        durability: Durability,
        pick_port: PickPort<'_>,
    ) -> Result<Self, PrivateError> {
        let bin = programs::postgres_bin()?;
        let home = Home::open(dir, "postgres")?;
        let data = home.dir.join("data");
        let password_file = home.dir.join("password");
        if data.exists() {
            stale::clear(&home, &data)?;
        } else {
            initdb::run(&home, &bin.join("initdb"), &data, &password_file)?;
        }
        let password = fs::read_to_string(&password_file)
            .map(SecretString::from)
            .map_err(PrivateError::io("read the database password from", &password_file))?;
        let program = bin.join("postgres");
        let launch = |port| {
            Ok(Launch {
                server: POSTGRES,
                program: &program,
                args: server_args(&data, port, durability),
                log: home.dir.join("server.log"),
                // Fast shutdown: ends the clients' sessions.
                signal: "INT",
            })
        };
        let (guard, port) = on_free_port(&home, pick_port, launch, |pid, _| is_ready(&data, pid))?;
        Ok(Self { guard, _home: home, port, password })
    }

    /// The URL of the `postgres` database for the superuser `tickerd`,
    /// password included.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.password.expose_secret();
        format!("postgres://{}:{password}@127.0.0.1:{}/postgres", initdb::SUPERUSER, self.port)
    }

    /// The server's main process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`PrivateError::StopTimedOut`] when it does not end in time.
    pub fn stop(mut self) -> Result<(), PrivateError> {
        self.guard.stop()
    }
}

/// No Unix socket: the path of one is limited to about 100 bytes.
fn server_args(data: &Path, port: u16, durability: Durability) -> Vec<OsString> {
    let port = format!("port={port}");
    let common = ["listen_addresses=127.0.0.1", "unix_socket_directories=", &port];
    let mut args = vec!["-D".into(), data.into()];
    for setting in common.iter().chain(durability.settings()) {
        args.extend(["-c".into(), setting.into()]);
    }
    args
}

/// The server writes its state to the eighth line of its pid file.
fn is_ready(data: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let line = |index| text.lines().nth(index).map(str::trim);
    line(0) == Some(pid.to_string().as_str()) && line(7) == Some("ready")
}
