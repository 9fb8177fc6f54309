//! The guardian: a shell between us and a server, which stops the server when
//! we are gone.
//!
//! The shell holds the reading end of a pipe whose writing end only we hold.
//! When our process ends in any way, SIGKILL included, the kernel closes the
//! pipe and the shell stops the server. The shell lives as long as the server
//! does and ends with its status.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::place::Home;
use super::{PrivateError, pause};
use crate::config::SECRETS;

/// PostgreSQL writes what it still has in memory first.
const STOP_TIMEOUT_S: u64 = 10;

/// Arguments: log, signal that stops the server, server command.
///
/// It outlives the signals that a terminal or a service manager sends to every
/// process at once, so that the server is stopped in order. The last lines end
/// the watcher when the server has ended by itself, and leave no zombie of it
/// where nobody collects orphans, as in a container.
const SCRIPT: &str = r#"
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

/// What to run, and how to stop it.
pub(super) struct Launch<'a> {
    /// Name for messages.
    pub(super) server: &'static str,
    pub(super) program: &'a Path,
    pub(super) args: Vec<OsString>,
    /// Gets all output; a new file, so that it is about this run only.
    pub(super) log: PathBuf,
    /// Name of the signal that stops the server.
    pub(super) signal: &'static str,
}

/// How a wait for a server went.
pub(super) enum Waited {
    Ready,
    Ended(ExitStatus),
    TimedOut,
}

/// A server and its guardian. Dropping it stops both.
pub(super) struct Guard {
    server: &'static str,
    shell: Child,
    pipe: Option<ChildStdin>,
    pid: u32,
}

impl Guard {
    pub(super) fn launch(home: &Home, launch: Launch<'_>) -> Result<Self, PrivateError> {
        let mut command = home.user.shell(SCRIPT);
        command.arg(&launch.log).arg(launch.signal);
        command.arg(launch.program).args(launch.args);
        // We search the logs, so they must be in the language we know.
        command.current_dir(&home.dir).env("LC_ALL", "C").env("TZ", "UTC");
        // What an operator's own servers are reached with is nothing to them.
        SECRETS.iter().for_each(|name| _ = command.env_remove(name));
        // Own group: a terminal's Ctrl-C is for us, we then stop the server.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let failed = PrivateError::io("start", launch.program);
        let mut shell = match command.spawn() {
            Ok(shell) => shell,
            Err(error) => return Err(failed(error)),
        };
        let pipe = shell.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            // Never long: the shell says it at once or is dead.
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        // Without a pid the shell has ended, and there is nothing to wait for.
        let pid = line.trim().parse().unwrap_or(0);
        Ok(Self { server: launch.server, shell, pipe, pid })
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until `ready` holds, the server has ended, or the time is over.
    pub(super) fn wait_until(
        &mut self,
        timeout: Duration,
        ready: impl Fn() -> bool,
    ) -> Result<Waited, PrivateError> {
        let deadline = Instant::now() + timeout;
        loop {
            if ready() {
                return Ok(Waited::Ready);
            }
            if let Some(status) = self.ended()? {
                return Ok(Waited::Ended(status));
            }
            if Instant::now() >= deadline {
                return Ok(Waited::TimedOut);
            }
            pause();
        }
    }

    /// Stops the server and waits until it has ended. Does nothing the second time.
    pub(super) fn stop(&mut self) -> Result<(), PrivateError> {
        if self.pipe.take().is_none() {
            return Ok(());
        }
        match self.wait_until(Duration::from_secs(STOP_TIMEOUT_S), || false)? {
            Waited::TimedOut => Err(PrivateError::StopTimedOut {
                server: self.server,
                pid: self.pid,
                seconds: STOP_TIMEOUT_S,
            }),
            _ => Ok(()),
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, PrivateError> {
        self.shell.try_wait().map_err(PrivateError::io("wait for", Path::new(self.server)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Nobody is left to tell; the shell goes on with the stop by itself.
        let _ = self.stop();
    }
}
