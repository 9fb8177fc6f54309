//! A server process that ends with this process.
//!
//! A shell, the supervisor, runs between this process and the server. It holds the reading end of a
//! pipe; only this process holds the writing end. When this process ends in any way, SIGKILL
//! included, the kernel closes the pipe and the supervisor stops the server. The supervisor exits
//! with the server's status.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::directory::ServerDir;
use super::{LocalServerError, pause};

/// Long enough for PostgreSQL to write its memory to disk.
const STOP_TIMEOUT_S: u64 = 10;
/// Long enough to recover a large database after a crash.
const START_TIMEOUT_S: u64 = 60;
/// Another process can take a port between our check and the server's start.
const PORT_TRIES: usize = 5;

/// The variables that a child process inherits. Others may hold an operator's secrets.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Arguments: log file, name of the signal that stops the server, server command.
///
/// The supervisor ignores the signals that a terminal or a service manager sends to every process
/// at once, so that the server still stops in order. The last lines end the watcher after the
/// server has ended by itself. They also reap it: a container may have no init process to do so.
const SUPERVISOR: &str = r#"
trap '' HUP INT TERM
log=$1 signal=$2
shift 2
rm -f -- "$log"
exec 3<&0 </dev/null 2>"$log"
"$@" 3<&- >&2 &
server=$!
echo "$server"
exec >&2
{ read -r _ <&3; kill -s "$signal" "$server"; } &
watcher=$!
exec 3<&-
wait "$server"
status=$?
exec >/dev/null 2>&1
kill -s KILL "$watcher"
wait "$watcher"
exit "$status"
"#;

/// How to run a server and how to stop it.
pub(super) struct ServerCommand<'a> {
    /// The server's name in messages.
    pub(super) server: &'static str,
    pub(super) program: &'a Path,
    pub(super) args: Vec<OsString>,
    /// Receives all output. Each start replaces the file.
    pub(super) log: PathBuf,
    /// Name of the signal that stops the server.
    pub(super) signal: &'static str,
}

/// The result of waiting for a server.
pub(super) enum WaitResult {
    Ready,
    Exited(ExitStatus),
    TimedOut,
}

/// A server and its supervisor. Dropping it stops both.
pub(super) struct ServerProcess {
    server: &'static str,
    supervisor: Child,
    pipe: Option<ChildStdin>,
    pid: u32,
}

impl ServerProcess {
    pub(super) fn spawn(
        dir: &ServerDir,
        server: ServerCommand<'_>,
    ) -> Result<Self, LocalServerError> {
        let mut command = dir.user.shell(SUPERVISOR);
        command.arg(&server.log).arg(server.signal);
        command.arg(server.program).args(server.args);
        command.current_dir(&dir.path);
        limit_environment(&mut command, |_| false);
        // `error_line` searches the logs for English words.
        command.env("LC_ALL", "C").env("TZ", "UTC");
        // A process group of its own: a terminal's Ctrl-C reaches us alone, and we stop the server.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let failed = LocalServerError::io("start", server.program);
        let mut supervisor = match command.spawn() {
            Ok(supervisor) => supervisor,
            Err(error) => return Err(failed(error)),
        };
        let pipe = supervisor.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            // Short: the supervisor prints the line at once or has ended.
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        // Without a line the supervisor has ended, and no server runs.
        let pid = line.trim().parse().unwrap_or(0);
        Ok(Self { server: server.server, supervisor, pipe, pid })
    }

    /// The server's process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until `ready` returns true, the server has ended, or `timeout` is over.
    pub(super) fn wait_until(
        &mut self,
        timeout: Duration,
        ready: impl Fn() -> bool,
    ) -> Result<WaitResult, LocalServerError> {
        let deadline = Instant::now() + timeout;
        loop {
            if ready() {
                return Ok(WaitResult::Ready);
            }
            let exited = self.supervisor.try_wait();
            let exited =
                exited.map_err(LocalServerError::io("wait for", Path::new(self.server)))?;
            if let Some(status) = exited {
                return Ok(WaitResult::Exited(status));
            }
            if Instant::now() >= deadline {
                return Ok(WaitResult::TimedOut);
            }
            pause();
        }
    }

    /// Stops the server and waits until it has ended. A second call does nothing.
    pub(super) fn stop(&mut self) -> Result<(), LocalServerError> {
        if self.pipe.take().is_none() {
            return Ok(());
        }
        match self.wait_until(Duration::from_secs(STOP_TIMEOUT_S), || false)? {
            WaitResult::TimedOut => Err(LocalServerError::StopTimedOut {
                server: self.server,
                pid: self.pid,
                seconds: STOP_TIMEOUT_S,
            }),
            _ => Ok(()),
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // On a failure the supervisor goes on stopping the server without us.
        let _ = self.stop();
    }
}

/// Removes every variable from a child's environment but the common ones and those that `also`
/// names.
pub(super) fn limit_environment(command: &mut Command, also: impl Fn(&str) -> bool) {
    command.env_clear();
    for (name, value) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| INHERITED.contains(&name) || also(name)) {
            command.env(name, value);
        }
    }
}

/// Returns a port that is free now. Tests replace it.
pub(super) type PickPort<'a> = &'a mut dyn FnMut() -> io::Result<u16>;

pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Starts the server that `command` describes for a port, and waits until `ready` returns true.
///
/// `ready` receives the server's process id and port.
pub(super) fn start_on_free_port<'a>(
    dir: &ServerDir,
    pick_port: PickPort<'_>,
    command: impl Fn(u16) -> Result<ServerCommand<'a>, LocalServerError>,
    ready: impl Fn(u32, u16) -> bool,
) -> Result<(ServerProcess, u16), LocalServerError> {
    let mut server = "";
    for _ in 0..PORT_TRIES {
        let port = pick_port()
            .map_err(LocalServerError::io("find a free port on", "127.0.0.1".as_ref()))?;
        let command = command(port)?;
        server = command.server;
        let log = command.log.clone();
        let mut process = ServerProcess::spawn(dir, command)?;
        let pid = process.pid();
        let timeout = Duration::from_secs(START_TIMEOUT_S);
        match process.wait_until(timeout, || ready(pid, port))? {
            WaitResult::Ready => return Ok((process, port)),
            WaitResult::Exited(_) if read_log(&log).contains("Address already in use") => {}
            WaitResult::Exited(status) => {
                let reason = error_line(&log, status);
                return Err(LocalServerError::StartFailed { server, reason, log });
            }
            WaitResult::TimedOut => {
                let seconds = START_TIMEOUT_S;
                return Err(LocalServerError::StartTimedOut { server, seconds, log });
            }
        }
    }
    Err(LocalServerError::PortsTaken { server, tries: PORT_TRIES })
}

/// The last line of a log that names an error. Without one, its last line; for an empty log, the
/// exit status (128 plus the signal's number after a kill).
///
/// The last line alone is not enough: PostgreSQL's programs then log that they clean up and end.
pub(super) fn error_line(log: &Path, status: ExitStatus) -> String {
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
