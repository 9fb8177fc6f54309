//! A small disk that a test can fill.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::program::is_root;
use super::{run, scratch};

/// A program that needs root: run with sudo, without a password, unless the tests run as root.
fn as_root(program: &str) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", program]);
    sudo
}

/// A small disk in memory.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// # Panics
    /// If nothing can be mounted: a test that can't fill a disk proves nothing.
    pub fn mount(megabytes: u32) -> Self {
        let dir = scratch();
        let owner = dir.path().metadata().expect("the directory exists");
        let options = format!("size={megabytes}m,mode=755,uid={},gid={}", owner.uid(), owner.gid());
        let mounted =
            run(as_root("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()));
        let error = String::from_utf8_lossy(&mounted.stderr);
        assert!(
            mounted.status.success(),
            "this test can't run: it mounts a small disk, as root or with sudo: {error}"
        );
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills the disk except for this many megabytes.
    pub fn fill_except(&self, megabytes: u64) {
        let (mut ballast, zeros) =
            (File::create(self.ballast()).expect("a file"), vec![0; 1 << 20]);
        let full = loop {
            if let Err(error) = ballast.write_all(&zeros) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let length = ballast.metadata().expect("its length").len();
        ballast.set_len(length.saturating_sub(megabytes << 20)).expect("shortened");
    }

    /// Frees the space again.
    pub fn free_space(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast is removed");
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Servers that are still ending may have files open there.
        let _ = as_root("umount").arg("--lazy").arg(self.path()).status();
    }
}
