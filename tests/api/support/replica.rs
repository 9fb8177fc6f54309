//! A Postgres with a streaming replica.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use testkit::servers::{Durability, LocalPostgres, choose_dir};

use super::program::as_owner;
use super::{Database, run, scratch};

/// Two servers that the test started.
pub struct Replicated {
    pub primary: LocalPostgres,
    pub replica: LocalPostgres,
    pub _scratch: tempfile::TempDir,
}

impl Replicated {
    /// A primary with the sample, and its replica.
    pub fn with_sample() -> Self {
        let scratch = scratch();
        let dir = choose_dir(&scratch.path().join("primary")).unwrap();
        let primary = LocalPostgres::start(&dir, Durability::Throwaway).unwrap();
        let database = Database::at(&primary.url());
        database.load_sample();
        let copy = choose_dir(&scratch.path().join("replica")).unwrap();
        let replica = follow(&dir, &primary, &copy);
        Self { primary, replica, _scratch: scratch }
    }

    pub fn database(&self) -> Database {
        Database::at(&self.primary.url())
    }
}

/// Copies a running server to `copy` and starts the copy as its replica.
fn follow(original: &Path, primary: &LocalPostgres, copy: &Path) -> LocalPostgres {
    let (from, to) = (original.join("postgres"), copy.join("postgres"));
    let owner = from.metadata().unwrap();
    std::fs::create_dir(&to).unwrap();
    std::fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    let mut backup = as_owner(&to, "pg_basebackup");
    backup.args([
        "--pgdata=data",
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--no-sync",
        "--dbname",
        &primary.url(),
    ]);
    let output = run(&mut backup);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::copy(from.join("password"), to.join("password")).unwrap();
    LocalPostgres::start(copy, Durability::Throwaway).unwrap()
}
