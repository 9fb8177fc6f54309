//! Threads for argon2id alone: it is to leave processors to requests.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::hash::Memory;
use super::secret_verifier::QueueSlot;
use crate::metrics;

/// A secret to be proven, and who waits for it.
struct Proof {
    secret: SecretString,
    phc: String,
    asked: Instant,
    answer: oneshot::Sender<bool>,
    /// A client that hangs up must not free that of a hash which still runs.
    _room: QueueSlot,
}

pub struct HashPool {
    proofs: Sender<Proof>,
    wait: Duration,
}

impl HashPool {
    /// So many threads, or one on every two cores for 0. `wait` is how long a proof may take, the
    /// wait for a thread included.
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
    pub async fn matches(
        &self,
        secret: SecretString,
        phc: String,
        room: QueueSlot,
    ) -> Option<bool> {
        let (answer, found) = oneshot::channel();
        let proof = Proof { secret, phc, asked: Instant::now(), answer, _room: room };
        self.proofs.send(proof).ok()?;
        tokio::time::timeout(self.wait, found).await.ok()?.ok()
    }
}

/// Until those who ask are gone.
fn prove_all(waiting: &Mutex<Receiver<Proof>>) {
    let mut memory = Memory::default();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Proof { secret, phc, asked, answer, _room }) = next else { return };
        // Whoever hung up or was told to come back needs no answer.
        if !answer.is_closed() {
            let matches = memory.matches(&secret, &phc);
            metrics::argon2(asked.elapsed().as_secs_f64());
            let _ = answer.send(matches);
        }
    }
}
