//! Threads that run argon2id and nothing else.
//!
//! Each thread keeps the memory that argon2id needs. Their number leaves processor cores to
//! requests whose keys are already cached.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::hash::HashMemory;
use super::queue::QueueSlot;
use crate::metrics;

pub struct HashPool {
    jobs: Sender<Job>,
    timeout: Duration,
}

/// A secret to compare with a hash.
struct Job {
    secret: SecretString,
    /// A PHC string.
    secret_hash: String,
    queued_at: Instant,
    result: oneshot::Sender<bool>,
    /// The job holds the slot until its hash is done, even if the client disconnects earlier.
    _slot: QueueSlot,
}

impl HashPool {
    /// Starts `threads` threads, or one per two cores if it is 0. `timeout` covers the wait for a
    /// thread and the hash.
    ///
    /// # Panics
    /// If the operating system can't start a thread.
    pub fn start(threads: usize, timeout: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores.div_ceil(2) } else { threads };
        let (jobs, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = receiver.clone();
            let thread = std::thread::Builder::new().name("argon2id".to_owned());
            thread.spawn(move || run_jobs(&receiver)).expect("the system starts a thread");
        }
        Self { jobs, timeout }
    }

    /// Whether `secret` matches `secret_hash`. `None` if the result did not come in time.
    pub async fn matches(
        &self,
        secret: SecretString,
        secret_hash: String,
        slot: QueueSlot,
    ) -> Option<bool> {
        let (result, receiver) = oneshot::channel();
        let job = Job { secret, secret_hash, queued_at: Instant::now(), result, _slot: slot };
        self.jobs.send(job).ok()?;
        tokio::time::timeout(self.timeout, receiver).await.ok()?.ok()
    }
}

/// Runs jobs until the pool is dropped.
fn run_jobs(jobs: &Mutex<Receiver<Job>>) {
    let mut memory = HashMemory::default();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { secret, secret_hash, queued_at, result, _slot }) = next else { return };
        // Skips the hash if the client disconnected or the wait timed out.
        if !result.is_closed() {
            let matches = memory.matches(&secret, &secret_hash);
            metrics::argon2(queued_at.elapsed().as_secs_f64());
            let _ = result.send(matches);
        }
    }
}
