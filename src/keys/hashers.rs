//! Threads for argon2id alone, which stand back for whoever else wants the processor.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::hash::secret_matches;
use super::places::Place;
use crate::metrics;

/// The weight of a thread at this niceness is a tenth of that of one that serves requests (sched(7)): on a machine that has
/// nothing to spare a hash of 20 ms takes some 200.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// A secret to be proven, and who waits for it.
struct Proof {
    secret: SecretString,
    phc: String,
    asked: Instant,
    answer: oneshot::Sender<bool>,
    /// It bounds how many of these there are. A client that hangs up must not free the place of a hash that still runs.
    _place: Place,
}

pub struct Hashers {
    proofs: Sender<Proof>,
    wait: Duration,
}

impl Hashers {
    /// So many threads, or one on every two cores for 0. `wait` is how long a proof may take, the wait for a thread included.
    pub fn start(threads: usize, wait: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores.div_ceil(2) } else { threads };
        let (proofs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = waiting.clone();
            let thread = std::thread::Builder::new().name("argon2id".to_owned());
            thread.spawn(move || prove_all(&waiting)).expect("the system starts a thread");
        }
        Self { proofs, wait }
    }

    /// Whether `secret` is the one behind `phc`. `None` where that could not be found out in time.
    pub async fn matches(&self, secret: SecretString, phc: String, place: Place) -> Option<bool> {
        let (answer, found) = oneshot::channel();
        let proof = Proof { secret, phc, asked: Instant::now(), answer, _place: place };
        self.proofs.send(proof).ok()?;
        tokio::time::timeout(self.wait, found).await.ok()?.ok()
    }
}

/// Until those who ask are gone.
fn prove_all(waiting: &Mutex<Receiver<Proof>>) {
    // Elsewhere it would be that of the whole process.
    #[cfg(target_os = "linux")]
    if let Err(fault) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(cause = %fault, "argon2id runs at the priority of everything else");
    }
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Proof { secret, phc, asked, answer, _place }) = next else { return };
        // Whoever hung up or was told to come back needs no answer.
        if !answer.is_closed() {
            let matches = secret_matches(&secret, &phc);
            metrics::argon2(asked.elapsed().as_secs_f64());
            let _ = answer.send(matches);
        }
    }
}
