//! A local Redis server, used as a cache: it writes nothing to disk.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::directory::ServerDir;
use super::process::{PickPort, ServerCommand, ServerProcess, free_port, start_on_free_port};
use super::programs::{self, REDIS};
use super::{LocalServerError, random_password};

/// Short: an unrelated server on the port may never answer.
const COMMAND_TIMEOUT_MS: u64 = 500;

/// A running local Redis. Dropping it stops the server.
pub struct LocalRedis {
    // Fields drop in this order: the server ends before its directory is unlocked.
    process: ServerProcess,
    _dir: ServerDir,
    port: u16,
    password: SecretString,
}

impl LocalRedis {
    /// Starts Redis or Valkey with its files in `dir/redis`. Returns when the server answers.
    ///
    /// Use a `dir` from [`choose_dir`](super::choose_dir).
    ///
    /// # Errors
    ///
    /// [`LocalServerError::MissingProgram`] when neither is installed,
    /// [`LocalServerError::InUse`] when another process uses `dir`, and the other variants for
    /// failures of the server or the file system.
    pub fn start(dir: &Path) -> Result<Self, LocalServerError> {
        Self::start_on(dir, &mut free_port)
    }

    pub(super) fn start_on(dir: &Path, pick_port: PickPort<'_>) -> Result<Self, LocalServerError> {
        let program = programs::installed_redis()?;
        let dir = ServerDir::open(dir, "redis")?;
        let conf = dir.path.join("redis.conf");
        stop_old(&conf);
        let password = random_password();
        let command = |port| {
            dir.write_secret(&conf, &config(port, &password))?;
            Ok(ServerCommand {
                server: REDIS,
                program: &program,
                args: vec![conf.clone().into()],
                log: dir.path.join("server.log"),
                signal: "TERM",
            })
        };
        let ready = |_, port| send(port, &password, "PING").is_ok_and(|reply| reply == "+PONG");
        let (process, port) = start_on_free_port(&dir, pick_port, command, ready)?;
        Ok(Self { process, _dir: dir, port, password: password.into() })
    }

    /// The URL of database 0, with the password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password.expose_secret(), self.port)
    }

    /// The id of the server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`LocalServerError::StopTimedOut`] when it does not end in time.
    pub fn stop(mut self) -> Result<(), LocalServerError> {
        self.process.stop()
    }
}

/// `dir ./` is the directory that the supervisor starts the server in: a path would need quoting.
fn config(port: u16, password: &str) -> String {
    format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir ./\ndaemonize no\n\
         save \"\"\nappendonly no\nmaxmemory 64mb\nmaxmemory-policy volatile-lru\n"
    )
}

/// Stops the server of an earlier run that was killed together with its supervisor.
///
/// Only that server accepts the recorded password, so an unrelated Redis on the same port is safe.
/// An error means that the old server has ended.
fn stop_old(conf: &Path) {
    let text = fs::read_to_string(conf).unwrap_or_default();
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let port = value("port ").and_then(|port| port.parse().ok());
    if let (Some(port), Some(password)) = (port, value("requirepass ")) {
        let _ = send(port, password, "SHUTDOWN NOSAVE");
    }
}

/// Logs in, sends one command, and returns the first line of its reply. The line is empty when the
/// server closes the connection, as it does on SHUTDOWN.
fn send(port: u16, password: &str, command: &str) -> io::Result<String> {
    let timeout = Duration::from_millis(COMMAND_TIMEOUT_MS);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let mut replies = BufReader::new(stream.try_clone()?).lines();
    let mut request = |line: String| {
        stream.write_all(line.as_bytes())?;
        replies.next().unwrap_or(Ok(String::new()))
    };
    let login = request(format!("AUTH {password}\r\n"))?;
    if login != "+OK" {
        return Err(io::Error::other(login));
    }
    request(format!("{command}\r\n"))
}
