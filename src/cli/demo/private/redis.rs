//! A private Redis server, as a cache only: it writes nothing to disk.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::guard::{Guard, Launch};
use super::launch::{PickPort, free_port, on_free_port};
use super::place::Home;
use super::programs::REDIS;
use super::{PrivateError, programs, random_password};

/// Short: what listens on the port may be somebody else's and stay silent.
const TALK_TIMEOUT_MS: u64 = 500;

/// A running private Redis. Dropping it stops the server.
pub struct PrivateRedis {
    // Dropped first: the server must be gone before the lock is.
    guard: Guard,
    _home: Home,
    port: u16,
    password: SecretString,
}

impl PrivateRedis {
    /// Starts Redis (or Valkey) with its files in `dir/redis` and returns when
    /// it answers.
    ///
    /// `dir` should come from [`choose_dir`](super::choose_dir).
    ///
    /// # Errors
    ///
    /// [`PrivateError::MissingBinary`] when neither is installed (the caller
    /// can go on without), [`PrivateError::InUse`] when another process uses
    /// `dir`, and every other variant for what its name says.
    pub fn start(dir: &Path) -> Result<Self, PrivateError> {
        Self::start_on(dir, &mut free_port)
    }

    pub(super) fn start_on(dir: &Path, pick_port: PickPort<'_>) -> Result<Self, PrivateError> {
        let program = programs::redis_server()?;
        let home = Home::open(dir, "redis")?;
        let conf = home.dir.join("redis.conf");
        stop_old(&conf);
        let password = random_password();
        let launch = |port| {
            home.write_secret(&conf, &config(port, &password))?;
            Ok(Launch {
                server: REDIS,
                program: &program,
                args: vec![conf.clone().into()],
                log: home.dir.join("server.log"),
                signal: "TERM",
            })
        };
        let ready = |_, port| talk(port, &password, "PING").is_ok_and(|reply| reply == "+PONG");
        let (guard, port) = on_free_port(&home, pick_port, launch, ready)?;
        Ok(Self { guard, _home: home, port, password: password.into() })
    }

    /// The URL of database 0, password included.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password.expose_secret(), self.port)
    }

    /// The server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`PrivateError::StopTimedOut`] when it does not end in time.
    pub fn stop(mut self) -> Result<(), PrivateError> {
        self.guard.stop()
    }
}

/// `dir ./` is the directory in which the guardian starts it: a path would
/// need quoting.
fn config(port: u16, password: &str) -> String {
    format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir ./\ndaemonize no\n\
         save \"\"\nappendonly no\nmaxmemory 64mb\nmaxmemory-policy volatile-lru\n"
    )
}

/// Stops the server of an earlier run that was killed together with its
/// guardian. Only that server accepts the password, so nobody else's Redis on
/// the same port is harmed; if none does, it is gone and nothing is to do.
fn stop_old(conf: &Path) {
    let text = fs::read_to_string(conf).unwrap_or_default();
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let port = value("port ").and_then(|port| port.parse().ok());
    if let (Some(port), Some(password)) = (port, value("requirepass ")) {
        let _ = talk(port, password, "SHUTDOWN NOSAVE");
    }
}

/// Logs in, sends one command, and returns the first line of its reply: an
/// empty one when the server hangs up, as it does on SHUTDOWN.
fn talk(port: u16, password: &str, command: &str) -> io::Result<String> {
    let timeout = Duration::from_millis(TALK_TIMEOUT_MS);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let mut replies = BufReader::new(stream.try_clone()?).lines();
    let mut ask = |request: String| {
        stream.write_all(request.as_bytes())?;
        replies.next().unwrap_or(Ok(String::new()))
    };
    let login = ask(format!("AUTH {password}\r\n"))?;
    if login != "+OK" {
        return Err(io::Error::other(login));
    }
    ask(format!("{command}\r\n"))
}
