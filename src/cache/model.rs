//! A Redis that tests break: by tokio's clock, which they move.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

/// How long a command waits for a Redis that gives no answer.
const TIMEOUT_MS: u64 = 250;
/// Of so many commands, one gets no answer: a read that fails, a write that is lost.
const LOST_ONE_IN: u32 = 200;
/// Of so many commands, one takes some milliseconds; the others none.
const SLOW_ONE_IN: u32 = 10;

#[derive(Clone)]
pub struct RedisModel(Arc<Mutex<Inside>>);

struct Inside {
    random: StdRng,
    values: HashMap<String, (Vec<u8>, Instant)>,
    /// Nothing gets an answer. Who knows of it asks nothing.
    is_away: bool,
}

impl RedisModel {
    pub fn new(seed: u64) -> Self {
        let inside =
            Inside { random: StdRng::seed_from_u64(seed), values: HashMap::new(), is_away: false };
        Self(Arc::new(Mutex::new(inside)))
    }

    pub fn set_away(&self, is_away: bool) {
        self.inside().is_away = is_away;
    }

    pub fn is_away(&self) -> bool {
        self.inside().is_away
    }

    /// A restart, which keeps nothing.
    pub fn forget(&self) {
        self.inside().values.clear();
    }

    pub(super) async fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.command().await?;
        let inside = self.inside();
        inside
            .values
            .get(name)
            .filter(|(_, until)| Instant::now() < *until)
            .map(|(value, _)| value.clone())
    }

    pub(super) async fn set(&self, name: &str, value: Vec<u8>, keep_ms: u64) {
        if self.command().await.is_some() {
            self.inside()
                .values
                .insert(name.to_owned(), (value, Instant::now() + Duration::from_millis(keep_ms)));
        }
    }

    /// The way there and back; `None` where there is no answer.
    async fn command(&self) -> Option<()> {
        let (is_lost, took_ms) = {
            let mut inside = self.inside();
            let is_lost = inside.is_away || inside.random.random_ratio(1, LOST_ONE_IN);
            let is_slow = inside.random.random_ratio(1, SLOW_ONE_IN);
            (is_lost, if is_slow { inside.random.random_range(1..30) } else { 0 })
        };
        sleep(Duration::from_millis(if is_lost { TIMEOUT_MS } else { took_ms })).await;
        (!is_lost).then_some(())
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
