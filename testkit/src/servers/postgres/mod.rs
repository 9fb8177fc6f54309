//! A local PostgreSQL server.

pub(super) mod data;
pub mod embedded;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::directory::ServerDir;
use super::process::{PickPort, ServerCommand, ServerProcess, free_port, start_on_free_port};
use super::{LocalServerError, programs};
use programs::POSTGRES;

/// What data survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Everything that was committed: for data that people keep.
    Durable,
    /// Nothing, for speed and many connections: for tests.
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

/// A running local PostgreSQL. Dropping it stops the server; its data stays.
pub struct LocalPostgres {
    // Fields drop in this order: the server ends before its directory is unlocked.
    process: ServerProcess,
    _dir: ServerDir,
    port: u16,
    password: SecretString,
}

impl LocalPostgres {
    /// Starts the installed PostgreSQL with its data in `dir/postgres`, created on first use.
    /// Returns when the server accepts connections.
    ///
    /// Use a `dir` from [`choose_dir`](super::choose_dir).
    ///
    /// # Errors
    ///
    /// [`LocalServerError::MissingProgram`] when PostgreSQL is not installed,
    /// [`LocalServerError::InUse`] when another process uses `dir`, and the other variants for
    /// failures of `initdb`, the server or the file system.
    pub fn start(dir: &Path, durability: Durability) -> Result<Self, LocalServerError> {
        let bin = programs::installed_postgres()?;
        Self::start_on(&bin, dir, durability, &mut free_port)
    }

    /// Like [`start`](Self::start), with the programs in the directory `bin`.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start).
    pub fn start_with(
        bin: &Path,
        dir: &Path,
        durability: Durability,
    ) -> Result<Self, LocalServerError> {
        Self::start_on(bin, dir, durability, &mut free_port)
    }

    pub(super) fn start_on(
        bin: &Path,
        dir: &Path,
        durability: Durability,
        pick_port: PickPort<'_>,
    ) -> Result<Self, LocalServerError> {
        let dir = ServerDir::open(dir, "postgres")?;
        let data = dir.path.join("data");
        let password_file = dir.path.join("password");
        if data.exists() {
            data::clean_up(&dir, &data)?;
        } else {
            data::create(&dir, &bin.join("initdb"), &data, &password_file)?;
        }
        let password = fs::read_to_string(&password_file)
            .map(SecretString::from)
            .map_err(LocalServerError::io("read the database password from", &password_file))?;
        let program = bin.join("postgres");
        let command = |port| {
            Ok(ServerCommand {
                server: POSTGRES,
                program: &program,
                args: server_args(&data, port, durability),
                log: dir.path.join("server.log"),
                // Fast shutdown: ends the clients' sessions.
                signal: "INT",
            })
        };
        let ready = |pid, _| is_ready(&data, pid);
        let (process, port) = start_on_free_port(&dir, pick_port, command, ready)?;
        Ok(Self { process, _dir: dir, port, password })
    }

    /// The URL of the `postgres` database for the superuser `tickerd`, with the password.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.password.expose_secret();
        format!("postgres://{}:{password}@127.0.0.1:{}/postgres", data::SUPERUSER, self.port)
    }

    /// The id of the server's main process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`LocalServerError::StopTimedOut`] when it does not end in time.
    pub fn stop(mut self) -> Result<(), LocalServerError> {
        self.process.stop()
    }
}

/// No Unix socket: its path is limited to about 100 bytes.
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
