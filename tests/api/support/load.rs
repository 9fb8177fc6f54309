//! A steady load of real requests, and the result of each.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::TcpStream;

use super::App;
use super::http_request::{Reply, get, send_request};

/// Longer than any wait that the server is allowed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Which requests to send, to which servers, at which rate.
#[derive(Clone)]
pub struct Load {
    addresses: Vec<String>,
    keys: Vec<String>,
    paths: Vec<String>,
    clients: u32,
    per_second: u32,
}

impl Load {
    /// Requests that rotate stop the servers, then stop the keys and the paths.
    pub fn new(apps: &[&App], keys: &[&str], paths: &[&str]) -> Self {
        let addresses = apps.iter().map(|app| app.address().to_owned()).collect();
        Self { addresses, ..Self::to("", keys, paths) }
    }

    /// Requests that rotate through the keys and the paths, to one address (`host:port`).
    pub fn to(address: &str, keys: &[&str], paths: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let addresses = vec![address.to_owned()];
        Self { addresses, keys: owned(keys), paths: owned(paths), clients: 16, per_second: 200 }
    }

    /// The same requests to a proxy in front of the servers, as `host:port`.
    pub fn through(self, address: &str) -> Self {
        Self { addresses: vec![address.to_owned()], ..self }
    }

    /// The number of concurrent requests, each stop a kept connection.
    pub fn clients(self, clients: u32) -> Self {
        Self { clients, ..self }
    }

    /// The number of requests due per second. A request waits for a free client, and its wait
    /// counts as latency.
    pub fn per_second(self, per_second: u32) -> Self {
        Self { per_second, ..self }
    }

    /// Starts to send, on a thread of its own.
    pub fn start(self) -> Running {
        let (tally, stop) =
            (Arc::new(Mutex::new(Tally::default())), Arc::new(AtomicBool::new(false)));
        let (results, stopping) = (tally.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let (next, started) = (AtomicU32::new(0), Instant::now());
            let clients =
                (0..self.clients).map(|_| self.client(&next, started, &results, &stopping));
            runtime.block_on(join_all(clients));
        });
        Running { tally, stop, thread: Some(thread) }
    }

    /// Sends for this time.
    pub async fn run(self, time: Duration) -> Tally {
        let running = self.start();
        tokio::time::sleep(time).await;
        running.stop()
    }

    async fn client(
        &self,
        next: &AtomicU32,
        started: Instant,
        tally: &Mutex<Tally>,
        stop: &AtomicBool,
    ) {
        let mut kept: HashMap<usize, TcpStream> = HashMap::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due =
                started + Duration::from_secs_f64(f64::from(number) / f64::from(self.per_second));
            tokio::time::sleep_until(due.into()).await;
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let number = number as usize;
            let app = number % self.addresses.len();
            let path = number / self.addresses.len() % self.paths.len();
            let request =
                get(&self.paths[path], &self.keys[number / self.addresses.len() % self.keys.len()]);
            let sent = self.send(app, kept.remove(&app), &request);
            match tokio::time::timeout(RESPONSE_TIMEOUT, sent).await {
                Ok(Ok((reply, stream))) => {
                    kept.extend(stream.map(|stream| (app, stream)));
                    tally.lock().unwrap().responses.push(TimedResponse::of(&reply, path, due));
                }
                Ok(Err(e)) => {
                    tally.lock().unwrap().failed.push((due, format!("{}: {e}", self.paths[path])))
                }
                Err(_) => tally
                    .lock()
                    .unwrap()
                    .failed
                    .push((due, format!("{}: no answer", self.paths[path]))),
            }
        }
    }

    async fn send(
        &self,
        app: usize,
        kept: Option<TcpStream>,
        request: &str,
    ) -> std::io::Result<(Reply, Option<TcpStream>)> {
        let mut stream = match kept {
            Some(stream) => stream,
            None => TcpStream::connect(&self.addresses[app]).await?,
        };
        stream.set_nodelay(true)?;
        let reply = send_request(&mut stream, request).await?;
        let stays = !reply.closes();
        Ok((reply, stays.then_some(stream)))
    }
}

/// A load that runs until it is stopped.
pub struct Running {
    tally: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The results so far.
    pub fn so_far(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Stops sending, and waits for the requests in progress.
    pub fn stop(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("the load is stopped once").join().expect("no client panicked");
        self.so_far()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The result of one request that got a response.
#[derive(Debug, Clone)]
pub struct TimedResponse {
    /// When the request was due.
    pub due: Instant,
    /// From `due` to the last byte of the response.
    pub took: Duration,
    /// The index of its path in the load's list.
    pub path: usize,
    pub status: u16,
    /// The value of `X-Cache` in lower case; empty without it.
    pub cache: String,
    pub retry_after: Option<String>,
    /// A hash of the body.
    pub body: u64,
}

impl TimedResponse {
    fn of(reply: &Reply, path: usize, due: Instant) -> Self {
        let mut hasher = DefaultHasher::new();
        reply.body.hash(&mut hasher);
        let header = |name| reply.header(name).map(str::to_owned);
        Self {
            due,
            took: due.elapsed(),
            path,
            status: reply.status,
            cache: header("x-cache").unwrap_or_default(),
            retry_after: header("retry-after"),
            body: hasher.finish(),
        }
    }
}

/// The results of all requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub responses: Vec<TimedResponse>,
    /// Requests without a complete response: when they were due, and the error.
    pub failed: Vec<(Instant, String)>,
}

impl Tally {
    /// The results of the requests that were due in this time.
    pub fn between(&self, from: Instant, to: Instant) -> Self {
        let within = |due: &Instant| (from..to).contains(due);
        Self {
            responses: self
                .responses
                .iter()
                .filter(|answer| within(&answer.due))
                .cloned()
                .collect(),
            failed: self.failed.iter().filter(|(due, _)| within(due)).cloned().collect(),
        }
    }

    pub fn count(&self, status: u16) -> usize {
        self.responses.iter().filter(|answer| answer.status == status).count()
    }

    /// Asserts that every request got a complete response with one of these statuses.
    pub fn assert_only(&self, statuses: &[u16]) {
        assert!(!self.responses.is_empty(), "no request was answered");
        assert!(
            self.failed.is_empty(),
            "{} failed, as {:?}",
            self.failed.len(),
            self.failed.first()
        );
        let other = self.responses.iter().find(|answer| !statuses.contains(&answer.status));
        assert!(other.is_none(), "{other:?}");
    }

    pub fn slowest(&self) -> Duration {
        self.responses.iter().map(|answer| answer.took).max().unwrap_or_default()
    }

    /// The 99th percentile of the latency.
    pub fn p99(&self) -> Duration {
        let mut took: Vec<_> = self.responses.iter().map(|answer| answer.took).collect();
        took.sort();
        took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }
}
