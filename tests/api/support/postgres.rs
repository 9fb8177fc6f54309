//! A Postgres server that a test can kill, stall and restart at the same address.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::servers::{Durability, LocalPostgres, choose_dir};
use tokio_postgres::NoTls;

use super::{Database, Program, eventually};

/// For a server to recover from a crash and to accept connections.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server with durable commits, as in production.
pub struct Postgres {
    data_dir: PathBuf,
    program: PathBuf,
    url: String,
    running: Option<Program>,
}

impl Postgres {
    /// A server with its files below `parent` and the sample in its database.
    pub async fn with_sample(parent: &Path) -> Self {
        let dir = choose_dir(&parent.join("servers")).expect("a directory for a server");
        // A LocalPostgres creates and fills the database. It gets another port at each start, so
        // this server then takes over its files.
        let local = LocalPostgres::start(&dir, Durability::Durable).expect("Postgres starts");
        let program = std::fs::read_link(format!("/proc/{}/exe", local.pid()))
            .expect("the path of its program");
        let url = local.url();
        Database::at(&url).load_sample();
        local.stop().expect("Postgres ends");
        let mut server = Self { data_dir: dir.join("postgres"), program, url, running: None };
        server.start(&[]).await;
        server
    }

    pub fn database(&self) -> Database {
        Database::at(&self.url)
    }

    /// Starts the server at its address unless it runs, with settings (`name=value`), and waits
    /// until it accepts connections.
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
        // While a process of a killed server is still ending, its shared memory is in use and no
        // other server starts.
        let running = &mut self.running;
        eventually("Postgres starts", START_TIMEOUT, async || {
            if running.as_mut().is_none_or(|running| !running.is_running()) {
                *running = Some(Program::start(&self.data_dir, "env", &arguments));
            }
            accepts(&self.url).await
        })
        .await;
    }

    /// Kills all of its processes, as a crash of the machine does. Data that the system has
    /// accepted to write is kept.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.running = None;
    }

    /// Shuts the server down, and ends the sessions of its clients.
    pub async fn stop(&mut self) {
        let running = self.running.as_mut().expect("Postgres runs");
        running.signal("INT");
        eventually("Postgres ends", START_TIMEOUT, async || !running.is_running()).await;
    }

    /// Sends a signal to all of its processes, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let server = self.running.as_ref().expect("Postgres runs").pid();
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"))
            .expect("its child processes");
        // The parent first, since it restarts its children.
        let all: Vec<_> = std::iter::once(server.to_string())
            .chain(children.split_whitespace().map(str::to_owned))
            .collect();
        // A process may have ended in the meantime, so a failure is ignored.
        Command::new("kill").args(["-s", name]).args(all).output().expect("kill runs");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A stopped process would not react to SIGTERM.
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
