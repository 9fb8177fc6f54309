//! A private PostgreSQL and a private Redis, for `tickerd demo` and the tests.
//!
//! Both servers listen on a free port of 127.0.0.1 only, ask for a random
//! password, keep everything below one directory, and end with the process
//! that started them, however that process ends (see `guard`).
//!
//! ```text
//! DIR/postgres.lock   held while a PrivatePostgres of this directory lives
//! DIR/postgres/       data/, password (0600), initdb.log, server.log
//! DIR/redis.lock      held while a PrivateRedis of this directory lives
//! DIR/redis/          redis.conf (0600), server.log
//! ```
//!
//! The calls block: from async code, run them on a blocking thread.

mod guard;
mod initdb;
mod launch;
mod place;
mod postgres;
mod programs;
mod redis;
mod stale;
mod user;

#[cfg(test)]
mod tests;

pub use place::choose_dir;
pub use postgres::{Durability, PrivatePostgres};
pub use redis::PrivateRedis;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a condition that nobody announces is looked at again.
const POLL_INTERVAL_MS: u64 = 10;

const PASSWORD_CHARS: usize = 32;

/// Why a private server could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The server is not installed; the caller may go on without it.
    #[error(
        "no `{binary}` program was found on PATH or in the usual places: install {server} \
         ({install})"
    )]
    MissingBinary {
        /// Name of the server as its makers write it.
        server: &'static str,
        /// The program that was looked for.
        binary: &'static str,
        /// How to install it.
        install: &'static str,
    },
    /// We are root, and there is nobody else to run the servers.
    #[error(
        "the private servers must not run as root and /etc/passwd has neither a `postgres` nor \
         a `nobody` user: run this command as an ordinary user"
    )]
    NoUnprivilegedUser,
    /// The directory cannot be made or written.
    #[error(
        "the directory {} cannot be created or written ({reason}): choose another one or \
         change its permissions",
        dir.display()
    )]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The user who runs the server cannot get into the directory.
    #[error(
        "the directory {} cannot be entered by the user who runs the server (uid {uid}): choose \
         another one or change the permissions of the directories above it",
        dir.display()
    )]
    NotReachable {
        /// The directory.
        dir: PathBuf,
        /// The user who runs the server.
        uid: u32,
    },
    /// The directory belongs to somebody other than the user who runs the server.
    #[error(
        "the directory {} belongs to uid {owner} but would be used by uid {wanted}: run this \
         command as the user who made it, or remove it",
        dir.display()
    )]
    OtherOwner {
        /// The directory.
        dir: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who should own it.
        wanted: u32,
    },
    /// Another live process uses the directory.
    #[error(
        "the directory {} is in use by another running tickerd: stop that one or choose \
         another directory",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb could not create a database in {}: {reason} (its log is {})",
        dir.display(), log.display())]
    InitFailed {
        /// Where the database should have been.
        dir: PathBuf,
        /// The line of its output that tells most.
        reason: String,
        /// All of its output.
        log: PathBuf,
    },
    /// The server ended before it was ready.
    #[error("{server} ended before it was ready: {reason} (its log is {})", log.display())]
    StartFailed {
        /// Which server.
        server: &'static str,
        /// The line of its output that tells most.
        reason: String,
        /// All of its output.
        log: PathBuf,
    },
    /// The server was not ready in time.
    #[error("{server} was not ready within {seconds} s: see its log {}", log.display())]
    StartTimedOut {
        /// Which server.
        server: &'static str,
        /// How long it was given.
        seconds: u64,
        /// All of its output.
        log: PathBuf,
    },
    /// Every port that was tried had been taken by somebody else meanwhile.
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
        /// How long it was given.
        seconds: u64,
    },
    /// Something else that the operating system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or program.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
}

impl PrivateError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |reason| Self::Io { action, path, reason }
    }
}

/// Letters and digits only, so that it needs no quoting in a URL or a file.
fn random_password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_CHARS)
}

fn pause() {
    std::thread::sleep(Duration::from_millis(POLL_INTERVAL_MS));
}
