//! A Postgres and a Redis on this machine, for `tickerd demo`, the tests and the load test.
//!
//! Each server listens on a free port of 127.0.0.1 only, requires a random password, and keeps its
//! files below one directory. It ends with the process that started it, however that process ends:
//! see [`process`].
//!
//! ```text
//! DIR/postgres.lock       held while a LocalPostgres of this directory lives
//! DIR/postgres/           data/, password (0600), initdb.log, server.log
//! DIR/embedded-postgres/  PostgreSQL from npm, if none is installed
//! DIR/redis.lock          held while a LocalRedis of this directory lives
//! DIR/redis/              redis.conf (0600), server.log
//! ```
//!
//! All calls block: from async code, run them on a blocking thread.

mod directory;
mod postgres;
mod process;
mod programs;
mod redis;
mod user;

#[cfg(test)]
mod tests;

pub use directory::choose_dir;
pub use postgres::{Durability, LocalPostgres, embedded};
pub use programs::installed_postgres;

pub use redis::LocalRedis;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pause between two checks of a condition that sends no notification.
const POLL_INTERVAL_MS: u64 = 10;

const PASSWORD_CHARS: usize = 32;

/// Why a local server could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LocalServerError {
    /// The server is not installed.
    #[error(
        "no `{binary}` program was found on PATH or in the usual places: install {server} \
         ({install})"
    )]
    MissingProgram {
        /// Name of the server as its makers write it.
        server: &'static str,
        /// The program that was looked for.
        binary: &'static str,
        /// How to install it.
        install: &'static str,
    },
    /// npm has no PostgreSQL for this platform.
    #[error(
        "PostgreSQL is not installed, and npm has none for this platform ({}, {}): install it with \
         your package manager",
        std::env::consts::OS,
        std::env::consts::ARCH
    )]
    NoEmbedded,
    /// npm could not download PostgreSQL.
    #[error(
        "PostgreSQL is not installed, and npm could not download it: {reason} (its log is {})",
        log.display()
    )]
    DownloadFailed {
        /// The most informative line of npm's output.
        reason: String,
        /// All of its output.
        log: PathBuf,
    },
    /// This process runs as root, and no unprivileged user exists to run the servers.
    #[error(
        "the local servers must not run as root, and /etc/passwd has neither a `postgres` nor a \
         `nobody` user: run this command as an ordinary user"
    )]
    NoUnprivilegedUser,
    /// The directory cannot be created or written.
    #[error(
        "the directory {} cannot be created or written ({reason}): choose another one or change \
         its permissions",
        dir.display()
    )]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// The operating system's error.
        reason: io::Error,
    },
    /// The user that runs the server cannot enter the directory.
    #[error(
        "the directory {} cannot be entered by the user that runs the server (uid {uid}): choose \
         another one or change the permissions of the directories above it",
        dir.display()
    )]
    NotReachable {
        /// The directory.
        dir: PathBuf,
        /// The user that runs the server.
        uid: u32,
    },
    /// The directory belongs to a user other than the one that runs the server.
    #[error(
        "the directory {} belongs to uid {owner} but would be used by uid {wanted}: run this \
         command as the user that created it, or remove it",
        dir.display()
    )]
    WrongOwner {
        /// The directory.
        dir: PathBuf,
        /// Its owner.
        owner: u32,
        /// The owner it should have.
        wanted: u32,
    },
    /// Another live process uses the directory.
    #[error(
        "the directory {} is in use by another running tickerd: stop that one or choose another \
         directory",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// `initdb` failed.
    #[error(
        "initdb could not create a database in {}: {reason} (its log is {})",
        dir.display(),
        log.display()
    )]
    InitFailed {
        /// The data directory that was to be created.
        dir: PathBuf,
        /// The most informative line of its output.
        reason: String,
        /// All of its output.
        log: PathBuf,
    },
    /// The server ended before it was ready.
    #[error("{server} ended before it was ready: {reason} (its log is {})", log.display())]
    StartFailed {
        /// Which server.
        server: &'static str,
        /// The most informative line of its output.
        reason: String,
        /// All of its output.
        log: PathBuf,
    },
    /// The server was not ready in time.
    #[error("{server} was not ready within {seconds} s: see its log {}", log.display())]
    StartTimedOut {
        /// Which server.
        server: &'static str,
        /// The limit.
        seconds: u64,
        /// All of its output.
        log: PathBuf,
    },
    /// Another process took each port between the check and the server's start.
    #[error(
        "{server} found none of {tries} ports of 127.0.0.1 free, each was taken by another \
         process just before: try again"
    )]
    PortsTaken {
        /// Which server.
        server: &'static str,
        /// How many ports were tried.
        tries: usize,
    },
    /// The server, of this or of an earlier run, does not end.
    #[error("{server} (process {pid}) did not stop within {seconds} s: end that process by hand")]
    StopTimedOut {
        /// Which server.
        server: &'static str,
        /// Its process.
        pid: u32,
        /// The limit.
        seconds: u64,
    },
    /// Any other error of the operating system.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// The operation.
        action: &'static str,
        /// The file or program that it concerned.
        path: PathBuf,
        /// The operating system's error.
        reason: io::Error,
    },
}

impl LocalServerError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |reason| Self::Io { action, path, reason }
    }
}

/// Letters and digits only: a URL and a configuration file take it without quoting.
fn random_password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_CHARS)
}

fn pause() {
    std::thread::sleep(Duration::from_millis(POLL_INTERVAL_MS));
}
