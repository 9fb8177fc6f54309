//! One Postgres and one Redis for all tests of a run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use testkit::servers::{Durability, LocalPostgres, LocalRedis, choose_dir};

pub struct Servers {
    pub postgres: LocalPostgres,
    pub redis: LocalRedis,
}

/// The servers of this run, started on first use. They always end with this process.
pub fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        remove_left_over(parent);
        let dir = choose_dir(&parent.join(format!("servers-{}", std::process::id())))
            .expect("a directory for servers");
        Servers {
            postgres: LocalPostgres::start(&dir, Durability::Throwaway).expect("Postgres starts"),
            redis: LocalRedis::start(&dir).expect("Redis starts"),
        }
    })
}

/// The URL of the shared Redis.
pub fn redis_url() -> String {
    servers().redis.url()
}

/// Removes the directories of earlier runs. A run can't do that itself, since its servers end after
/// it.
fn remove_left_over(parent: &Path) {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let left_over = |dir: &PathBuf| {
        let pid = dir
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix("servers-")?.parse::<u32>().ok());
        pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    for dir in entries.map(|entry| entry.path()).filter(left_over) {
        let _ = std::fs::remove_dir_all(dir);
    }
}
