//! A server under load: `tickerd serve`, or the bare one.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::Failure;
use crate::stage::Stage;

const START_TIMEOUT_S: u64 = 30;
/// Longer than a server waits for its last requests.
const STOP_TIMEOUT_S: u64 = 15;
const POLL_INTERVAL_MS: u64 = 10;

/// Dropping it kills the process; [`Server::stop`] ends it in order.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// A new process with default settings, on any free port.
    pub async fn tickerd(stage: &Stage) -> Result<Self, Failure> {
        let mut command = stage.tickerd(&["serve"]);
        command.env("PORT", "0").env("ADMIN_PORT", "0");
        Self::start(command, &stage.file("serve.log")).await
    }

    /// The ceiling that answers `body`.
    pub async fn bare(stage: &Stage, body: &[u8], encoding: Option<&str>) -> Result<Self, Failure> {
        let file = stage.file("bare.body");
        std::fs::write(&file, body)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg("--body").arg(&file);
        if let Some(encoding) = encoding {
            command.arg("--encoding").arg(encoding);
        }
        Self::start(command, &stage.file("bare.log")).await
    }

    async fn start(mut command: Command, log: &Path) -> Result<Self, Failure> {
        let child = spawn(&mut command, log)?;
        // The process is killed when this future is dropped, and with it the child.
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let deadline = Instant::now() + Duration::from_secs(START_TIMEOUT_S);
        loop {
            let text = std::fs::read_to_string(log)?;
            if let Some(address) = listening(&text) {
                server.address = address;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!(
                    "a server ended before it listened ({status}): {}",
                    text.trim()
                )
                .into());
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "a server did not listen within {START_TIMEOUT_S} s: {}",
                    text.trim()
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(POLL_INTERVAL_MS)).await;
        }
    }

    /// 0 when it has ended, which no process is.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    pub async fn stop(self) -> Result<(), Failure> {
        stop(self.child).await
    }
}

/// Starts a server whose log is a new file, so that nobody has to read a pipe while it is measured.
pub fn spawn(command: &mut Command, log: &Path) -> Result<Child, Failure> {
    let log: PathBuf = log.to_owned();
    let file = File::create(&log).map_err(|e| format!("can't write {}: {e}", log.display()))?;
    Ok(command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .kill_on_drop(true)
        .spawn()?)
}

pub async fn stop(mut child: Child) -> Result<(), Failure> {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        kill_process(pid, Signal::TERM)?;
    }
    let ended = tokio::time::timeout(Duration::from_secs(STOP_TIMEOUT_S), child.wait()).await;
    ended.map_err(|_| {
        format!("a server did not stop within {STOP_TIMEOUT_S} s of SIGTERM: it is killed")
    })??;
    Ok(())
}

/// Where a server says that it listens, in a complete line of its log.
fn listening(log: &str) -> Option<SocketAddr> {
    let line = log
        .split_inclusive('\n')
        .find(|line| line.contains(r#""message":"listening""#) && line.ends_with('\n'))?;
    line.split_once(r#""address":""#)?.1.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_in_the_log() {
        let log = "{\"message\":\"x\"}\n{\"level\":\"INFO\",\"message\":\"listening\",\"address\":\"127.0.0.1:81\"}\n";
        assert_eq!(listening(log), Some(SocketAddr::from(([127, 0, 0, 1], 81))));
        assert_eq!(listening(log.trim_end()), None, "half a line may hold half a port");
    }
}
