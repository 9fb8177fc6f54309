//! Helpers that all tests share.

mod app;
mod browser;
mod clock;
mod command;
mod database;
mod disk;
mod files;
mod http_request;
mod load;
mod postgres;
mod process_stats;
mod program;
mod proxy;
mod raw_client;
mod redis;
mod replica;
mod servers;

pub use app::{ADMIN_TOKEN, App, client, header, optional_header};
pub use browser::{Browser, Viewport, browse};
pub use clock::Clock;
pub use command::{CommandOutput, run, tickerd};
pub use database::{Database, id_of};
pub use disk::SmallDisk;
pub use files::{Files, read_text};
pub use http_request::{get, send_request};
pub use load::{Load, Tally, TimedResponse};
pub use postgres::Postgres;
pub use process_stats::ProcessStats;
pub use program::{Program, free_port, server_dir};
pub use proxy::{Fault, Proxy};
pub use raw_client::RawClient;
pub use redis::RedisServer;
pub use replica::Replicated;
pub use servers::{redis_url, servers};

pub use testkit::figures::{record, with_result};

use std::time::{Duration, Instant};

use tokio::time::timeout;

/// The longest time that one evaluation of a condition may take.
const CONDITION_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until `condition` holds, and returns how long that took.
///
/// # Panics
/// If it does not hold within `within`, or if one evaluation takes a minute.
pub async fn eventually(
    what: &str,
    within: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let started = Instant::now();
    while !timeout(CONDITION_TIMEOUT, condition())
        .await
        .unwrap_or_else(|_| panic!("{what}: an evaluation is stuck"))
    {
        assert!(started.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

/// A name that no other test of this run uses.
pub fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A temporary directory that the unprivileged user of the servers can read.
pub fn scratch() -> tempfile::TempDir {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    tempfile::Builder::new().permissions(permissions).tempdir().expect("a directory for the test")
}
