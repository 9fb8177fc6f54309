//! Tests with real servers: they need PostgreSQL, Redis, `psql`, `redis-cli`.

mod embedded;
mod failures;
mod killed;
mod lifecycle;
mod recovery;
mod starting;

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{choose_dir, random_password};

const EVENTUALLY_S: u64 = 20;

/// A directory for one test, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("tickerd-test-{}", random_password()));
        Self(choose_dir(&dir).expect("a directory for the test"))
    }

    fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that a test starts, killed when the test ends.
struct Process(Child);

impl Process {
    /// Runs `program` as the owner of `dir`, in `dir`, with `args`.
    fn in_dir(program: &Path, args: &[&str], dir: &Path) -> Self {
        let owner = dir.metadata().expect("the directory exists");
        let mut command = Command::new(program);
        command.args(args).current_dir(dir).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if am_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        Self(command.spawn().expect("the process starts"))
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("the process can be waited for").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The path of a test as `--exact` expects it: without the crate's name.
fn test_name(module: &str, test: &str) -> String {
    let (_, module) = module.split_once("::").expect("a module below the crate");
    format!("{module}::{test}")
}

fn am_root() -> bool {
    fs::metadata("/proc/self/status").is_ok_and(|status| status.uid() == 0)
}

fn eventually(what: &str, condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(EVENTUALLY_S);
    let mut condition = condition;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {EVENTUALLY_S} s: {what}");
        super::pause();
    }
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn psql(url: &str, sql: &str) -> String {
    run(Command::new("psql").args(["-XAtqc", sql, url]))
}

/// Without `-u`: redis-cli 7.0 would log in with the empty user name of the URL.
fn redis_cli(url: &str, args: &[&str]) -> String {
    let (login, _) = url.split_once('@').expect("the URL has a password");
    let password = login.trim_start_matches("redis://:");
    redis_cli_as(password, url, args)
}

fn redis_cli_as(password: &str, url: &str, args: &[&str]) -> String {
    let address = address(url);
    let (host, port) = address.split_once(':').expect("the address has a port");
    let mut command = Command::new("redis-cli");
    command.args(["--no-auth-warning", "-h", host, "-p", port]).env("REDISCLI_AUTH", password);
    run(command.args(args))
}

/// Returns both streams of its output: errors are on stderr.
fn run(command: &mut Command) -> String {
    let output = command.current_dir("/").output().expect("the client program is installed");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).trim().to_string()
}

fn address(url: &str) -> String {
    let (_, rest) = url.split_once('@').expect("the URL has a password");
    rest.split('/').next().expect("the URL has an address").to_string()
}

fn refuses(url: &str) -> bool {
    TcpStream::connect(address(url)).is_err()
}
