//! The user that runs the local servers.
//!
//! PostgreSQL refuses to run as root, so root runs the servers as an unprivileged user. Any other
//! user runs them as itself.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{fchown, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::LocalServerError;

const ROOT_UID: u32 = 0;
const PASSWD: &str = "/etc/passwd";
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user that the servers run as.
pub(super) struct ServerUser {
    uid: u32,
    /// The group of `uid`. Set only when this process is root and must switch to that user.
    switch_to_gid: Option<u32>,
}

impl ServerUser {
    pub(super) fn detect() -> Result<Self, LocalServerError> {
        let uid = effective_uid()?;
        if uid != ROOT_UID {
            return Ok(Self { uid, switch_to_gid: None });
        }
        let passwd = fs::read(PASSWD).map_err(LocalServerError::io("read", Path::new(PASSWD)))?;
        let passwd = String::from_utf8_lossy(&passwd);
        let (uid, gid) = UNPRIVILEGED
            .iter()
            .find_map(|name| find_user(&passwd, name))
            .ok_or(LocalServerError::NoUnprivilegedUser)?;
        Ok(Self { uid, switch_to_gid: Some(gid) })
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// Whether the servers run as another user than this process.
    pub(super) fn switches(&self) -> bool {
        self.switch_to_gid.is_some()
    }

    /// A `sh -c` script that runs as this user, in `/`, without input or output.
    pub(super) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        if let Some(gid) = self.switch_to_gid {
            command.uid(self.uid).gid(gid);
        }
        command.args(["-c", script, "sh"]).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Tries it: only the kernel knows about access control lists and mounts.
    pub(super) fn can_enter(&self, dir: &Path) -> bool {
        self.shell(r#"cd -- "$1""#).arg(dir).status().is_ok_and(|status| status.success())
    }

    pub(super) fn chown_file(&self, file: &File) -> io::Result<()> {
        match self.switch_to_gid {
            Some(gid) => fchown(file, Some(self.uid), Some(gid)),
            None => Ok(()),
        }
    }

    pub(super) fn chown_dir(&self, dir: &Path) -> io::Result<()> {
        match self.switch_to_gid {
            Some(gid) => lchown(dir, Some(self.uid), Some(gid)),
            None => Ok(()),
        }
    }
}

/// Reads /proc on Linux and runs `id -u` elsewhere.
fn effective_uid() -> Result<u32, LocalServerError> {
    let status = fs::read("/proc/self/status").unwrap_or_default();
    if let Some(uid) = uid_of_status(&String::from_utf8_lossy(&status)) {
        return Ok(uid);
    }
    let id = Path::new("id");
    let output = Command::new(id).arg("-u").output().map_err(LocalServerError::io("run", id))?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|error| LocalServerError::io("read the user id from", id)(io::Error::other(error)))
}

/// The line is `Uid: real effective saved filesystem`.
fn uid_of_status(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The line is `name:password:uid:gid:...`.
fn find_user(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut ids = line.split(':').skip(2);
    let uid = ids.next()?.parse().ok()?;
    let gid = ids.next()?.parse().ok()?;
    (uid != ROOT_UID).then_some((uid, gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_uid_is_the_second_one() {
        assert_eq!(uid_of_status("Name:\tx\nUid:\t0\t1000\t0\t0\nGid:\t5\n"), Some(1000));
        assert_eq!(uid_of_status("Name:\tx\n"), None);
    }

    #[test]
    fn a_user_is_found_by_its_whole_name_and_is_never_root() {
        let passwd = "root:x:0:0::/:/bin/sh\nnobody2:x:7:8::/:\nnobody:x:65534:65533::/:\n";
        assert_eq!(find_user(passwd, "nobody"), Some((65534, 65533)));
        assert_eq!(find_user(passwd, "postgres"), None);
        assert_eq!(find_user(passwd, "root"), None);
    }
}
