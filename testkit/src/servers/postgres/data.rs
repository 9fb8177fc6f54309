//! PostgreSQL's data directory: created on first use, and cleaned up after a run that was killed.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::directory::{ServerDir, remove_if_exists, remove_with_prefix};
use super::super::process::{ServerCommand, ServerProcess, WaitResult, error_line};
use super::super::{LocalServerError, pause, random_password};

/// The role that owns everything.
pub(in crate::servers) const SUPERUSER: &str = "tickerd";

const UNFINISHED: &str = "data.unfinished.";
const INIT_TIMEOUT_S: u64 = 120;
const OLD_STOP_TIMEOUT_S: u64 = 15;

/// Creates the data directory with `initdb`, under another name first: a directory called `data` is
/// always complete.
pub(in crate::servers) fn create(
    dir: &ServerDir,
    initdb: &Path,
    data: &Path,
    password_file: &Path,
) -> Result<(), LocalServerError> {
    // The `initdb` of a killed run may still write to its directory. Each run therefore uses a
    // name of its own.
    remove_with_prefix(&dir.path, UNFINISHED);
    let unfinished = dir.path.join(format!("{UNFINISHED}{}", random_password()));
    dir.write_secret(password_file, &random_password())?;
    let log = dir.path.join("initdb.log");
    let mut args: Vec<OsString> = ["-U", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8"]
        .into_iter()
        .chain(["--locale=C", "--no-sync", "--pwfile"])
        .map(OsString::from)
        .collect();
    args.extend([password_file.into(), "-D".into(), unfinished.clone().into()]);
    let server = "initdb";
    let command = ServerCommand { server, program: initdb, args, log: log.clone(), signal: "TERM" };
    let mut process = ServerProcess::spawn(dir, command)?;
    match process.wait_until(Duration::from_secs(INIT_TIMEOUT_S), || false)? {
        WaitResult::Exited(status) if status.success() => {
            fs::rename(&unfinished, data).map_err(LocalServerError::io("rename", &unfinished))
        }
        WaitResult::Ready | WaitResult::TimedOut => {
            Err(LocalServerError::StartTimedOut { server, seconds: INIT_TIMEOUT_S, log })
        }
        WaitResult::Exited(status) => {
            let reason = error_line(&log, status);
            Err(LocalServerError::InitFailed { dir: data.to_path_buf(), reason, log })
        }
    }
}

/// Stops a server of an earlier run that still uses `data`, and removes its pid file.
///
/// The caller holds the directory's lock, so no live process of ours uses `data`.
pub(super) fn clean_up(dir: &ServerDir, data: &Path) -> Result<(), LocalServerError> {
    let file = data.join("postmaster.pid");
    if let Some(pid) = recorded_pid(&file)
        && is_postmaster_of(pid, data)
    {
        stop_old(dir, pid, data)?;
    }
    // PostgreSQL refuses to start while any live process has the recorded number, even an unrelated
    // process that got the number later.
    remove_if_exists(&file)
}

fn recorded_pid(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

/// The system reuses process numbers, so a number alone proves nothing. A PostgreSQL server's
/// working directory is its data directory.
fn is_postmaster_of(pid: u32, data: &Path) -> bool {
    if !Path::new("/proc/self").exists() {
        return is_postmaster_by_ps(pid, data);
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let cwd = fs::read_link(format!("/proc/{pid}/cwd"));
    let data = data.canonicalize();
    name.trim() == "postgres" && matches!((cwd, data), (Ok(cwd), Ok(data)) if cwd == data)
}

/// For systems without /proc. We always pass the data directory with `-D`.
fn is_postmaster_by_ps(pid: u32, data: &Path) -> bool {
    let pid = pid.to_string();
    let Ok(output) = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]).output() else {
        return false;
    };
    let args = String::from_utf8_lossy(&output.stdout).into_owned();
    args.contains("postgres") && args.contains(&format!("-D {}", data.display()))
}

/// Fast shutdown. The server's user sends the signal, so the kernel refuses it for processes of
/// other users.
fn stop_old(dir: &ServerDir, pid: u32, data: &Path) -> Result<(), LocalServerError> {
    let mut kill = dir.user.shell(r#"kill -s INT "$1""#);
    // `kill` fails where the server has just ended; the loop below finds that out.
    kill.arg(pid.to_string()).status().map_err(LocalServerError::io("run", "/bin/sh".as_ref()))?;
    let deadline = Instant::now() + Duration::from_secs(OLD_STOP_TIMEOUT_S);
    while is_postmaster_of(pid, data) {
        if Instant::now() >= deadline {
            let (server, seconds) = ("an earlier PostgreSQL", OLD_STOP_TIMEOUT_S);
            return Err(LocalServerError::StopTimedOut { server, pid, seconds });
        }
        pause();
    }
    Ok(())
}
