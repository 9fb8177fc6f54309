//! A Redis server that a test can kill, stall and restart.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Program, eventually, free_port, run, server_dir};

/// A real `redis-server` without a password that writes nothing to disk.
pub struct RedisServer {
    dir: PathBuf,
    port: u16,
    program: Option<Program>,
}

impl RedisServer {
    /// A running server, with its directory below `parent`.
    pub async fn start(parent: &Path) -> Self {
        let mut server = Self::not_started(parent);
        server.run().await;
        server
    }

    /// A server that is not started: its port is closed.
    pub fn not_started(parent: &Path) -> Self {
        let port = free_port();
        Self { dir: server_dir(parent, &format!("redis-{port}")), port, program: None }
    }

    /// Starts the server at its address, without data.
    pub async fn run(&mut self) {
        let port = self.port.to_string();
        let arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--save",
            "",
            "--repl-diskless-sync-delay",
            "0",
        ];
        self.program = Some(Program::start(&self.dir, "redis-server", &arguments));
        eventually("Redis answers", Duration::from_secs(10), async || {
            self.command(&["PING"]) == "PONG"
        })
        .await;
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.program.take().expect("Redis runs").signal("KILL");
    }

    /// Sends a signal by its name without SIG.
    pub fn signal(&self, name: &str) {
        self.program.as_ref().expect("Redis runs").signal(name);
    }

    /// Runs a command with redis-cli and returns its output.
    pub fn command(&self, arguments: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["-p", &self.port.to_string()]).args(arguments);
        let output = run(&mut client);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a command and asserts that the reply is OK.
    pub fn command_ok(&self, arguments: &[&str]) {
        assert_eq!(self.command(arguments), "OK", "{arguments:?}");
    }

    pub fn port(&self) -> String {
        self.port.to_string()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Takes over the port of a server that has ended, as a failover behind a fixed address does.
    pub fn take_over_port_of(&mut self, other: &Self) {
        self.command_ok(&["CONFIG", "SET", "port", &other.port()]);
        self.port = other.port;
    }
}
