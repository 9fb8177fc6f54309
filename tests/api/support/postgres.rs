//! A Postgres of a test's own, to be killed, stalled and started again at the same address.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::servers::{Durability, LocalPostgres, choose_dir};
use tokio_postgres::NoTls;

use super::{Database, Program, eventually};

/// For a server to recover from a crash and to accept connections.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that keeps what was committed, as those that people run do.
pub struct Postgres {
    home: PathBuf,
    program: PathBuf,
    url: String,
    running: Option<Program>,
}

impl Postgres {
    /// A server with its files below `parent` and the sample in it.
    pub async fn with_sample(parent: &Path) -> Self {
        let dir = choose_dir(&parent.join("servers")).expect("a directory for a server");
        // A LocalPostgres creates and fills the database. This server then runs on it, since a
        // LocalPostgres has another port after each start.
        let local = LocalPostgres::start(&dir, Durability::Durable).expect("Postgres starts");
        let program =
            std::fs::read_link(format!("/proc/{}/exe", local.pid())).expect("its program");
        let url = local.url();
        Database::at(&url).load_sample();
        local.stop().expect("it ends");
        let mut server = Self { home: dir.join("postgres"), program, url, running: None };
        server.start(&[]).await;
        server
    }

    pub fn database(&self) -> Database {
        Database::at(&self.url)
    }

    /// Starts it where it was, if it does not run, with settings (`name=value`), and waits until it
    /// accepts connections.
    pub async fn start(&mut self, settings: &[&str]) {
        let port = self
            .url
            .rsplit(':')
            .next()
            .and_then(|end| end.split('/').next())
            .expect("the URL has a port");
        let port = format!("port={port}");
        let always = [port.as_str(), "listen_addresses=127.0.0.1", "unix_socket_directories="];
        let settings = always.iter().chain(settings).flat_map(|setting| ["-c", setting]);
        let program = self.program.to_str().expect("its path is text");
        let arguments: Vec<_> = [program, "-D", "data"].into_iter().chain(settings).collect();
        // Until the last process of a server that was killed has ended, its memory is in use and no
        // other starts.
        let running = &mut self.running;
        eventually("Postgres starts", START_TIMEOUT, async || {
            if running.as_mut().is_none_or(|running| !running.lives()) {
                *running = Some(Program::start(&self.home, "env", &arguments));
            }
            accepts(&self.url).await
        })
        .await;
    }

    /// Ends all of its processes at once, as the machine's end would, but for what the system has
    /// taken to be written.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.running = None;
    }

    /// Ends it in order, with the sessions of its clients.
    pub async fn stop(&mut self) {
        let running = self.running.as_mut().expect("it runs");
        running.signal("INT");
        eventually("Postgres ends", START_TIMEOUT, async || !running.lives()).await;
    }

    /// Sends a signal to all of its processes, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let server = self.running.as_ref().expect("it runs").pid();
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"))
            .expect("its children");
        // First of all the one that would start others.
        let all: Vec<_> = std::iter::once(server.to_string())
            .chain(children.split_whitespace().map(str::to_owned))
            .collect();
        // One that has ended meanwhile is none that was to be spared.
        Command::new("kill").args(["-s", name]).args(all).output().expect("kill runs");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // One that stands still would not end in order.
        if self.running.is_some() {
            self.signal("KILL");
        }
    }
}

async fn accepts(url: &str) -> bool {
    let connected =
        tokio::time::timeout(Duration::from_secs(1), tokio_postgres::connect(url, NoTls)).await;
    matches!(connected, Ok(Ok(_)))
}
