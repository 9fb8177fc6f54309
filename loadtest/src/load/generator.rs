//! Asks on many connections, with many keys: as fast as it goes, or when it is due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::{API_KEY, Link};
use super::tally::Tally;
use crate::Failure;

/// However many requests are left: their answers then tell that something is wrong.
const REQUESTS_TIMEOUT_S: u64 = 120;

/// One request.
pub struct Ask {
    pub path: String,
    /// The index of its key.
    pub key: usize,
}

/// What to ask, and where.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: u16,
    pub keys: Arc<Vec<HeaderValue>>,
    /// What is drawn follows from it: traffic that warms up must not be the one that is measured.
    pub seed: u64,
    pub draw: Arc<dyn Fn(&mut StdRng) -> Ask + Send + Sync>,
}

/// When a load without a pace is over.
#[derive(Clone, Copy)]
pub enum Until {
    Seconds(u64),
    Requests(usize),
}

impl Load {
    /// Each connection asks again as soon as it was answered.
    pub async fn flat_out(&self, until: Until) -> Result<Tally, Failure> {
        let (seconds, requests) = match until {
            Until::Seconds(seconds) => (seconds, usize::MAX),
            Until::Requests(requests) => (REQUESTS_TIMEOUT_S, requests),
        };
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let begun = Arc::new(AtomicUsize::new(0));
        self.on_each_connection(|mut caller| {
            let begun = Arc::clone(&begun);
            async move {
                while Instant::now() < deadline && begun.fetch_add(1, Ordering::Relaxed) < requests
                {
                    caller.call(Instant::now()).await;
                }
                Ok(caller.tally)
            }
        })
        .await
    }

    /// Each request is sent when it is due, by whichever connection is free. Its latency counts
    /// from then: what has to wait for a free connection is not left out.
    pub async fn paced(&self, due: Vec<Duration>) -> Result<Tally, Failure> {
        let (turns, next) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (due, start) = (Arc::new(due), Instant::now());
        // The runtime's timer counts whole milliseconds: longer than most answers take. A thread's
        // sleep does not.
        let (pacer_turns, pacer_due, last) =
            (Arc::clone(&turns), Arc::clone(&due), usize::from(self.connections));
        let pacer =
            tokio::task::spawn_blocking(move || pace(&pacer_turns, start, &pacer_due, last));
        let tally = self
            .on_each_connection(|mut caller| {
                let (turns, next, due) = (Arc::clone(&turns), Arc::clone(&next), Arc::clone(&due));
                async move {
                    loop {
                        turns.acquire().await?.forget();
                        let Some(due) = due.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            return Ok(caller.tally);
                        };
                        caller.call(start + *due).await;
                    }
                }
            })
            .await?;
        pacer.await?;
        Ok(tally)
    }

    async fn on_each_connection<F>(&self, work: impl Fn(Caller) -> F) -> Result<Tally, Failure>
    where
        F: Future<Output = Result<Tally, Failure>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for connection in 0..self.connections {
            let seed = (self.seed << u16::BITS) + u64::from(connection);
            let (link, random) = (Link::new(self.address)?, StdRng::seed_from_u64(seed));
            tasks.spawn(work(Caller { load: self.clone(), link, random, tally: Tally::new()? }));
        }
        let mut all = Tally::new()?;
        while let Some(tally) = tasks.join_next().await {
            all.merge(tally??)?;
        }
        Ok(all)
    }
}

/// A connection, what it asks and what it was answered.
struct Caller {
    load: Load,
    link: Link,
    random: StdRng,
    tally: Tally,
}

impl Caller {
    async fn call(&mut self, due: Instant) {
        let Ask { path, key } = (self.load.draw)(&mut self.random);
        let headers = [(API_KEY, self.load.keys[key].clone())];
        let answer = self.link.ask(&path, &headers).await;
        self.tally.count(&answer, due.elapsed());
    }
}

/// Gives one turn for each request when it is due, then one to each connection, to end on.
fn pace(turns: &Arc<Semaphore>, start: Instant, due: &[Duration], connections: usize) {
    for due in due {
        std::thread::sleep((start + *due).saturating_duration_since(Instant::now()));
        // Nobody else holds it: the load was given up.
        if Arc::strong_count(turns) == 1 {
            return;
        }
        turns.add_permits(1);
    }
    turns.add_permits(connections);
}
