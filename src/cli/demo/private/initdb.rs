//! The first use of a directory: making the PostgreSQL data directory.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::guard::{Guard, Launch, Waited};
use super::launch::telling_line;
use super::place::Home;
use super::{PrivateError, random_password};

/// The role that owns everything.
pub(super) const SUPERUSER: &str = "tickerd";

const UNFINISHED: &str = "data.unfinished.";
const INIT_TIMEOUT_S: u64 = 120;

/// Makes the data directory under another name first, so that a `data`
/// directory that exists is always complete.
pub(super) fn run(
    home: &Home,
    program: &Path,
    data: &Path,
    password_file: &Path,
) -> Result<(), PrivateError> {
    remove_unfinished(&home.dir);
    let unfinished = home.dir.join(format!("{UNFINISHED}{}", random_password()));
    home.write_secret(password_file, &random_password())?;
    let log = home.dir.join("initdb.log");
    let mut args: Vec<OsString> = ["-U", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8"]
        .into_iter()
        .chain(["--locale=C", "--no-sync", "--pwfile"])
        .map(OsString::from)
        .collect();
    args.extend([password_file.into(), "-D".into(), unfinished.clone().into()]);
    let launch = Launch { server: "initdb", program, args, log: log.clone(), signal: "TERM" };
    let waited =
        Guard::launch(home, launch)?.wait_until(Duration::from_secs(INIT_TIMEOUT_S), || false)?;
    match waited {
        Waited::Ended(status) if status.success() => {
            fs::rename(&unfinished, data).map_err(PrivateError::io("rename", &unfinished))
        }
        Waited::Ready | Waited::TimedOut => {
            let (server, seconds) = ("initdb", INIT_TIMEOUT_S);
            Err(PrivateError::StartTimedOut { server, seconds, log })
        }
        Waited::Ended(status) => {
            let reason = telling_line(&log, status);
            Err(PrivateError::InitFailed { dir: data.to_path_buf(), reason, log })
        }
    }
}

/// As far as possible: an initdb whose guardian just stops it still writes
/// there, which is why each run has a name of its own.
fn remove_unfinished(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
