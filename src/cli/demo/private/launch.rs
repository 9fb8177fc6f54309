//! Starting a server on a free port.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use super::PrivateError;
use super::guard::{Guard, Launch, Waited};
use super::place::Home;

/// Includes the recovery of a large database after a crash.
const START_TIMEOUT_S: u64 = 60;
/// Another process can take a port between our look and the server's.
const PORT_TRIES: usize = 5;

/// A port that is free now. Tests pass their own picker.
pub(super) type PickPort<'a> = &'a mut dyn FnMut() -> io::Result<u16>;

pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Starts what `launch` describes for a port, until `ready` (given the
/// server's process and port) holds.
pub(super) fn on_free_port<'a>(
    home: &Home,
    pick_port: PickPort<'_>,
    launch: impl Fn(u16) -> Result<Launch<'a>, PrivateError>,
    ready: impl Fn(u32, u16) -> bool,
) -> Result<(Guard, u16), PrivateError> {
    let mut server = "";
    for _ in 0..PORT_TRIES {
        let port =
            pick_port().map_err(PrivateError::io("find a free port on", "127.0.0.1".as_ref()))?;
        let launch = launch(port)?;
        server = launch.server;
        let log = launch.log.clone();
        let mut guard = Guard::launch(home, launch)?;
        let pid = guard.pid();
        let timeout = Duration::from_secs(START_TIMEOUT_S);
        match guard.wait_until(timeout, || ready(pid, port))? {
            Waited::Ready => return Ok((guard, port)),
            Waited::Ended(_) if read_log(&log).contains("Address already in use") => {}
            Waited::Ended(status) => {
                let reason = telling_line(&log, status);
                return Err(PrivateError::StartFailed { server, reason, log });
            }
            Waited::TimedOut => {
                let seconds = START_TIMEOUT_S;
                return Err(PrivateError::StartTimedOut { server, seconds, log });
            }
        }
    }
    Err(PrivateError::PortsTaken { server, tries: PORT_TRIES })
}

/// The last line of a log that names an error, otherwise its last line,
/// otherwise the exit status (128 and the signal's number if it was killed).
///
/// PostgreSQL's programs go on to say that they clean up and end.
pub(super) fn telling_line(log: &Path, status: ExitStatus) -> String {
    let text = read_log(log);
    let lines = || text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().find_map(|line| {
        let start = ["FATAL: ", "PANIC: ", "error: "].iter().find_map(|word| line.find(word))?;
        Some(&line[start..])
    });
    error.or_else(|| lines().next()).map_or_else(|| status.to_string(), str::to_string)
}

fn read_log(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}
