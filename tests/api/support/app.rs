//! A running server and its client.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;

use super::{Database, eventually, redis_url, unique};

/// The admin token of the tests.
pub const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Longer than any response takes, streams included.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The lines of a stream so far.
type Lines = Arc<Mutex<Vec<String>>>;

/// `tickerd serve` in a process of its own.
pub struct App {
    process: Child,
    address: String,
    admin_address: String,
    log: Lines,
    stdout: Lines,
    client: Client,
}

impl App {
    /// A server without Redis: limits and cache are in memory.
    pub async fn without_redis(database: &Database) -> Self {
        Self::with(database, &[]).await
    }

    /// Servers that share a Redis, with a key prefix that no other test uses.
    pub async fn with_shared_redis(database: &Database, count: usize) -> Vec<Self> {
        let prefix = format!("{}:", unique("test"));
        let mut apps = Vec::new();
        for _ in 0..count {
            apps.push(
                Self::with(database, &[("REDIS_URL", &redis_url()), ("REDIS_KEY_PREFIX", &prefix)])
                    .await,
            );
        }
        apps
    }

    /// A server with these variables set.
    pub async fn with(database: &Database, variables: &[(&str, &str)]) -> Self {
        let mut command = database.tickerd(&["serve"]);
        command.env("DATABASE_URL", database.serve_url());
        command.envs(variables.iter().copied());
        Self::start(command).await
    }

    /// Runs a command that serves on a free port. Returns when it listens and follows changes.
    pub async fn start(mut command: Command) -> Self {
        command.env("PORT", "0").env("LOG_FORMAT", "json").env("LOG_REQUESTS_PER_S_MAX", "100000");
        // Unless a test sets it, every request has its line.
        if !command.get_envs().any(|(name, _)| name == "LOG_REQUEST_BYTES_PER_S_MAX") {
            command.env("LOG_REQUEST_BYTES_PER_S_MAX", "1000000000");
        }
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let log = collect(process.stderr.take().expect("stderr is piped"));
        let stdout = collect(process.stdout.take().expect("stdout is piped"));
        let mut app = Self {
            process,
            address: String::new(),
            admin_address: String::new(),
            log,
            stdout,
            client: client(),
        };
        eventually("the server listens", Duration::from_secs(30), async || {
            assert!(app.process.try_wait().unwrap().is_none(), "the server ended: {:?}", app.log());
            app.find_address()
        })
        .await;
        // Until changes are followed, nothing is cached.
        eventually("the server follows changes", Duration::from_secs(30), async || {
            let Ok(answer) = app.client.get(app.url("/health/ready")).send().await else {
                return false;
            };
            answer.text().await.is_ok_and(|body| body.contains("\"followed\""))
        })
        .await;
        app
    }

    fn find_address(&mut self) -> bool {
        let Some(address) = self.logged_address("listening") else { return false };
        // The admin address is logged first.
        self.admin_address = self.logged_address("listening for operators").unwrap_or_default();
        self.address = address;
        true
    }

    fn logged_address(&self, message: &str) -> Option<String> {
        let line = self.log().into_iter().find(|line| line.contains(&format!("\"{message}\"")))?;
        let line: Value = serde_json::from_str(&line).expect("a log line is JSON");
        Some(line["address"].as_str().expect("the line has the address").to_owned())
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn admin_address(&self) -> &str {
        &self.admin_address
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Every line of the log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The warnings and errors that were logged so far. A request with status 503 is none: it asked
    /// before the server was ready.
    pub fn warnings_and_errors(&self) -> Vec<String> {
        let is_warning_or_error = |line: &String| {
            (line.contains("\"WARN\"") || line.contains("\"ERROR\""))
                && !line.contains("\"message\":\"request\"")
        };
        self.log().into_iter().filter(is_warning_or_error).collect()
    }

    /// Every line of stdout so far.
    pub fn stdout_lines(&self) -> Vec<String> {
        self.stdout.lock().unwrap().clone()
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal by its name without SIG.
    pub fn signal(&self, name: &str) {
        let kill = ["-s", name, &self.process.id().to_string()];
        assert!(Command::new("kill").args(kill).status().expect("kill runs").success());
    }

    /// Waits until the process ends. Returns its exit status, or `None` if a signal ended it.
    pub async fn wait_for_exit(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the server ends", Duration::from_secs(20), async || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.and_then(|status| status.code())
    }

    /// GET with a key.
    pub async fn get(&self, key: &str, path: &str) -> Response {
        let sent = self.client.get(self.url(path)).header("x-api-key", key).send().await;
        sent.unwrap_or_else(|e| {
            panic!(
                "no answer: {e:?}; its log ends with {:?}",
                self.log().iter().rev().take(8).collect::<Vec<_>>()
            )
        })
    }

    /// GET with a key; returns (status, JSON body).
    pub async fn json(&self, key: &str, path: &str) -> (u16, Value) {
        let answer = self.get(key, path).await;
        (answer.status().as_u16(), answer.json().await.expect("a JSON body"))
    }

    /// A server without Redis that accepts [`ADMIN_TOKEN`] on its admin listener.
    pub async fn with_admin(database: &Database) -> Self {
        Self::with(database, &[("ADMIN_TOKEN", ADMIN_TOKEN)]).await
    }

    /// An admin request, with `body` unless it is null. Returns (status, JSON body).
    pub async fn admin_json(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.admin(method, path).bearer_auth(ADMIN_TOKEN);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.expect("a response");
        (answer.status().as_u16(), answer.json().await.expect("a JSON body"))
    }

    /// Any request to the admin listener.
    pub fn admin(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(
            method.parse().expect("a method"),
            format!("http://{}{path}", self.admin_address),
        )
    }

    /// Any request to the public listener.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().expect("a method"), self.url(path))
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Collects the lines of a stream until it is closed.
fn collect(stream: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let gathered = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            gathered.lock().unwrap().push(line);
        }
    });
    lines
}

/// A client whose requests time out.
pub fn client() -> Client {
    Client::builder().timeout(RESPONSE_TIMEOUT).build().expect("a client")
}

/// A header of a response as text, or `None`.
pub fn optional_header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

pub fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    optional_header(answer, name).unwrap_or_default()
}
