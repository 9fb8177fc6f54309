//! What an earlier run that was killed may have left in a PostgreSQL data
//! directory: a `postmaster.pid` file, or even the server itself.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::place::{Home, remove_if_there};
use super::{PrivateError, pause};

const OLD_STOP_TIMEOUT_S: u64 = 15;

/// Stops a server that still runs in `data`, and removes its pid file.
///
/// The caller holds the directory's lock, so no live process of ours uses it.
pub(super) fn clear(home: &Home, data: &Path) -> Result<(), PrivateError> {
    let file = data.join("postmaster.pid");
    if let Some(pid) = recorded_pid(&file)
        && is_postmaster_of(pid, data)
    {
        stop(home, pid, data)?;
    }
    // PostgreSQL itself would take any live process with this number, by now
    // perhaps somebody else's, for its server, and refuse to start.
    remove_if_there(&file)
}

fn recorded_pid(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

/// A server's working directory is its data directory; a number alone proves
/// nothing, since numbers are given out again.
fn is_postmaster_of(pid: u32, data: &Path) -> bool {
    if !Path::new("/proc/self").exists() {
        return is_postmaster_by_ps(pid, data);
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let cwd = fs::read_link(format!("/proc/{pid}/cwd"));
    let data = data.canonicalize();
    name.trim() == "postgres" && matches!((cwd, data), (Ok(cwd), Ok(data)) if cwd == data)
}

/// For systems without /proc: we always name the data directory with `-D`.
fn is_postmaster_by_ps(pid: u32, data: &Path) -> bool {
    let pid = pid.to_string();
    let Ok(output) = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]).output() else {
        return false;
    };
    let args = String::from_utf8_lossy(&output.stdout).into_owned();
    args.contains("postgres") && args.contains(&format!("-D {}", data.display()))
}

/// Fast shutdown, sent as the server's user: the kernel then refuses to
/// signal a process of anybody else.
fn stop(home: &Home, pid: u32, data: &Path) -> Result<(), PrivateError> {
    let mut kill = home.user.shell(r#"kill -s INT "$1""#);
    // The server may just have ended by itself; whether it has is seen below.
    kill.arg(pid.to_string()).status().map_err(PrivateError::io("run", "/bin/sh".as_ref()))?;
    let deadline = Instant::now() + Duration::from_secs(OLD_STOP_TIMEOUT_S);
    while is_postmaster_of(pid, data) {
        if Instant::now() >= deadline {
            let (server, seconds) = ("an earlier PostgreSQL", OLD_STOP_TIMEOUT_S);
            return Err(PrivateError::StopTimedOut { server, pid, seconds });
        }
        pause();
    }
    Ok(())
}
