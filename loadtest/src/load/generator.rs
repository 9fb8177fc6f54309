//! Generates requests on many connections with many keys, at full speed or at a given rate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::{API_KEY, HttpClient};
use super::response_stats::ResponseStats;
use crate::LoadtestError;

/// The time limit of a load with a number of requests. Requests beyond it are not sent.
const REQUESTS_TIMEOUT_S: u64 = 120;

pub struct GeneratedRequest {
    pub path: String,
    /// The index of its key.
    pub key: usize,
}

#[derive(Clone)]
pub struct LoadGenerator {
    pub address: SocketAddr,
    pub connections: u16,
    pub keys: Arc<Vec<HeaderValue>>,
    /// Determines the requests. Warming up and measuring need different seeds.
    pub seed: u64,
    /// Draws a random request.
    pub draw: Arc<dyn Fn(&mut StdRng) -> GeneratedRequest + Send + Sync>,
}

/// The end of a load at full speed.
#[derive(Clone, Copy)]
pub enum LoadEnd {
    Seconds(u64),
    Requests(usize),
}

impl LoadGenerator {
    /// Each connection sends the next request when it has received a response.
    pub async fn at_full_speed(&self, end: LoadEnd) -> Result<ResponseStats, LoadtestError> {
        let (seconds, requests) = match end {
            LoadEnd::Seconds(seconds) => (seconds, usize::MAX),
            LoadEnd::Requests(requests) => (REQUESTS_TIMEOUT_S, requests),
        };
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let started = Arc::new(AtomicUsize::new(0));
        self.on_each_connection(|mut connection| {
            let started = Arc::clone(&started);
            async move {
                while Instant::now() < deadline
                    && started.fetch_add(1, Ordering::Relaxed) < requests
                {
                    connection.send(Instant::now()).await;
                }
                Ok(connection.stats)
            }
        })
        .await
    }

    /// Sends each request at its start time, on any free connection. The latency counts from the
    /// start time, so it includes waiting for a free connection.
    pub async fn at_rate(
        &self,
        start_times: Vec<Duration>,
    ) -> Result<ResponseStats, LoadtestError> {
        let start = Instant::now();
        let start_times = Arc::new(start_times);
        let due = Arc::new(Semaphore::new(0));
        let next = Arc::new(AtomicUsize::new(0));
        // The timer of the runtime has a resolution of milliseconds, which exceeds most latencies.
        // A sleeping thread is more precise.
        let pacer = {
            let (due, start_times) = (Arc::clone(&due), Arc::clone(&start_times));
            let connections = usize::from(self.connections);
            tokio::task::spawn_blocking(move || pace(&due, start, &start_times, connections))
        };
        let stats = self
            .on_each_connection(|mut connection| {
                let (due, next) = (Arc::clone(&due), Arc::clone(&next));
                let start_times = Arc::clone(&start_times);
                async move {
                    loop {
                        due.acquire().await?.forget();
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(start_time) = start_times.get(index) else {
                            return Ok(connection.stats);
                        };
                        connection.send(start + *start_time).await;
                    }
                }
            })
            .await?;
        pacer.await?;
        Ok(stats)
    }

    /// Runs `work` on all connections and merges their statistics.
    async fn on_each_connection<F>(
        &self,
        work: impl Fn(LoadConnection) -> F,
    ) -> Result<ResponseStats, LoadtestError>
    where
        F: Future<Output = Result<ResponseStats, LoadtestError>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for connection in 0..self.connections {
            let seed = (self.seed << u16::BITS) + u64::from(connection);
            tasks.spawn(work(LoadConnection {
                generator: self.clone(),
                client: HttpClient::new(self.address)?,
                random: StdRng::seed_from_u64(seed),
                stats: ResponseStats::new()?,
            }));
        }
        let mut all = ResponseStats::new()?;
        while let Some(stats) = tasks.join_next().await {
            all.merge(stats??)?;
        }
        Ok(all)
    }
}

/// One connection of the load, with its statistics.
struct LoadConnection {
    generator: LoadGenerator,
    client: HttpClient,
    random: StdRng,
    stats: ResponseStats,
}

impl LoadConnection {
    async fn send(&mut self, start_time: Instant) {
        let GeneratedRequest { path, key } = (self.generator.draw)(&mut self.random);
        let headers = [(API_KEY, self.generator.keys[key].clone())];
        let response = self.client.get(&path, &headers).await;
        self.stats.add(&response, start_time.elapsed());
    }
}

/// Adds a permit at each start time, then one for each connection, which ends it.
fn pace(due: &Arc<Semaphore>, start: Instant, start_times: &[Duration], connections: usize) {
    for start_time in start_times {
        std::thread::sleep((start + *start_time).saturating_duration_since(Instant::now()));
        // All connections are gone: the load was cancelled.
        if Arc::strong_count(due) == 1 {
            return;
        }
        due.add_permits(1);
    }
    due.add_permits(connections);
}
