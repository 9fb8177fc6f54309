//! What every test stands on.

mod app;
mod browser;
mod clock;
mod command;
mod database;
mod disk;
mod exchange;
mod files;
mod load;
mod postgres;
mod program;
mod proxy;
mod redis;
mod replica;
mod servers;
mod vitals;
mod wire;

pub use app::{ADMIN_TOKEN, App, client, header, optional_header};
pub use browser::{Browser, Look, browse};
pub use clock::Clock;
pub use command::{Ran, run, tickerd};
pub use database::{Database, id_of};
pub use disk::SmallDisk;
pub use exchange::{exchange, get};
pub use files::{Files, text_of};
pub use load::{Answer, Load, Tally};
pub use postgres::Postgres;
pub use program::{Program, free_port, home};
pub use proxy::{Fault, Proxy};
pub use redis::RedisServer;
pub use replica::Replicated;
pub use servers::{redis_url, servers};
pub use vitals::Vitals;
pub use wire::Wire;

pub use testkit::figures::{record, with_result};

use std::time::{Duration, Instant};

use tokio::time::timeout;

/// A single look that takes longer is stuck.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within `within`, or when it takes a minute to say so.
pub async fn eventually(
    what: &str,
    within: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let started = Instant::now();
    while !timeout(LOOK_TIMEOUT, condition())
        .await
        .unwrap_or_else(|_| panic!("{what}: a look at it is stuck"))
    {
        assert!(started.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

/// A name that no other test has.
pub fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A directory of a test's own that the unprivileged user who runs the servers can reach.
pub fn scratch() -> tempfile::TempDir {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    tempfile::Builder::new().permissions(permissions).tempdir().expect("a directory for the test")
}
