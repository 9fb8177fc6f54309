//! A Redis of a test's own, to do harm to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Program, eventually, free_port, home, run};

/// A real `redis-server` without a password, that writes nothing to disk.
pub struct RedisServer {
    dir: PathBuf,
    port: u16,
    program: Option<Program>,
}

impl RedisServer {
    /// One that answers, with its directory below `parent`.
    pub async fn start(parent: &Path) -> Self {
        let mut server = Self::absent(parent);
        server.run().await;
        server
    }

    /// The place of one that does not run yet: nobody listens there.
    pub fn absent(parent: &Path) -> Self {
        let port = free_port();
        Self { dir: home(parent, &format!("redis-{port}")), port, program: None }
    }

    /// Starts it where it was, with nothing of what it knew.
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
            self.ask(&["PING"]) == "PONG"
        })
        .await;
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.program.take().expect("it runs").signal("KILL");
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        self.program.as_ref().expect("it runs").signal(name);
    }

    /// What it answers to a command.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["-p", &self.port.to_string()]).args(arguments);
        let output = run(&mut client);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Tells it something that it has to accept.
    pub fn tell(&self, arguments: &[&str]) {
        assert_eq!(self.ask(arguments), "OK", "{arguments:?}");
    }

    pub fn port(&self) -> String {
        self.port.to_string()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Takes over the port of another one that has ended, as a name that is led elsewhere does.
    pub fn take_place_of(&mut self, other: &Self) {
        self.tell(&["CONFIG", "SET", "port", &other.port()]);
        self.port = other.port;
    }
}
