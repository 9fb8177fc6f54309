//! A server under load: `tickerd serve` or the bare server.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::LoadtestError;
use crate::stage::Stage;

const START_TIMEOUT_S: u64 = 30;
/// Exceeds the time that a server gives its last requests.
const STOP_TIMEOUT_S: u64 = 15;
const POLL_INTERVAL_MS: u64 = 10;

/// A running server. Dropping it kills the process; [`MeasuredServer::stop`] shuts it down.
pub struct MeasuredServer {
    child: Child,
    pub address: SocketAddr,
}

impl MeasuredServer {
    /// Starts tickerd with default settings on a free port.
    pub async fn tickerd(stage: &Stage) -> Result<Self, LoadtestError> {
        let mut command = stage.tickerd(&["serve"]);
        command.env("PORT", "0").env("ADMIN_PORT", "0");
        Self::start(command, &stage.file("serve.log")).await
    }

    /// Starts the bare server, which responds with `body`.
    pub async fn bare(
        stage: &Stage,
        body: &[u8],
        encoding: Option<&str>,
    ) -> Result<Self, LoadtestError> {
        let file = stage.file("bare.body");
        std::fs::write(&file, body)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg("--body").arg(&file);
        if let Some(encoding) = encoding {
            command.arg("--encoding").arg(encoding);
        }
        Self::start(command, &stage.file("bare.log")).await
    }

    async fn start(mut command: Command, log: &Path) -> Result<Self, LoadtestError> {
        let child = spawn(&mut command, log)?;
        // Dropping this future drops the child, which kills the process.
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let deadline = Instant::now() + Duration::from_secs(START_TIMEOUT_S);
        loop {
            let text = std::fs::read_to_string(log)?;
            if let Some(address) = listening(&text) {
                server.address = address;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                let log = text.trim();
                return Err(format!("a server exited before it listened ({status}): {log}").into());
            }
            if Instant::now() >= deadline {
                let log = text.trim();
                return Err(
                    format!("a server did not listen within {START_TIMEOUT_S} s: {log}").into()
                );
            }
            tokio::time::sleep(Duration::from_millis(POLL_INTERVAL_MS)).await;
        }
    }

    /// The process id; 0, which is no process, after the server has exited.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    pub async fn stop(self) -> Result<(), LoadtestError> {
        stop(self.child).await
    }
}

/// Starts a server that logs to a new file. Reading a pipe would disturb the measurement.
pub fn spawn(command: &mut Command, log: &Path) -> Result<Child, LoadtestError> {
    let log: PathBuf = log.to_owned();
    let file = File::create(&log).map_err(|e| format!("can't write {}: {e}", log.display()))?;
    Ok(command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .kill_on_drop(true)
        .spawn()?)
}

pub async fn stop(mut child: Child) -> Result<(), LoadtestError> {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        kill_process(pid, Signal::TERM)?;
    }
    let ended = tokio::time::timeout(Duration::from_secs(STOP_TIMEOUT_S), child.wait()).await;
    ended.map_err(|_| {
        format!("a server did not stop within {STOP_TIMEOUT_S} s of SIGTERM: it is killed")
    })??;
    Ok(())
}

/// The address in the log line "listening", if the line is complete.
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
    fn the_address_is_read_from_a_complete_line() {
        let log = "{\"message\":\"x\"}\n\
                   {\"level\":\"INFO\",\"message\":\"listening\",\"address\":\"127.0.0.1:81\"}\n";
        assert_eq!(listening(log), Some(SocketAddr::from(([127, 0, 0, 1], 81))));
        assert_eq!(listening(log.trim_end()), None, "an incomplete line may cut off the port");
    }
}
