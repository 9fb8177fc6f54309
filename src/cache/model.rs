//! A model of Redis for tests. They take it away and bring it back; its time is tokio's clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

/// How long a command waits for a Redis that does not respond.
const TIMEOUT_MS: u64 = 250;
/// One command in this many gets no response: a read fails, or a write is lost.
const LOST_ONE_IN: u32 = 200;
/// One command in this many takes some milliseconds; the others take none.
const SLOW_ONE_IN: u32 = 10;

#[derive(Clone)]
pub struct RedisModel(Arc<Mutex<ModelState>>);

struct ModelState {
    random: StdRng,
    /// Each value with its expiry.
    values: HashMap<String, (Vec<u8>, Instant)>,
    /// No command gets a response.
    is_away: bool,
}

impl RedisModel {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ModelState {
            random: StdRng::seed_from_u64(seed),
            values: HashMap::new(),
            is_away: false,
        })))
    }

    pub fn set_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    pub fn is_away(&self) -> bool {
        self.state().is_away
    }

    /// Loses all values, as a restart does.
    pub fn forget(&self) {
        self.state().values.clear();
    }

    pub(super) async fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.command().await?;
        let state = self.state();
        let (value, expires_at) = state.values.get(name)?;
        (Instant::now() < *expires_at).then(|| value.clone())
    }

    pub(super) async fn set(&self, name: &str, value: Vec<u8>, ttl_ms: u64) {
        if self.command().await.is_some() {
            let expires_at = Instant::now() + Duration::from_millis(ttl_ms);
            self.state().values.insert(name.to_owned(), (value, expires_at));
        }
    }

    /// Takes the time of a round trip. `None` if there is no response.
    async fn command(&self) -> Option<()> {
        let (is_lost, took_ms) = {
            let mut state = self.state();
            let is_lost = state.is_away || state.random.random_ratio(1, LOST_ONE_IN);
            let is_slow = state.random.random_ratio(1, SLOW_ONE_IN);
            (is_lost, if is_slow { state.random.random_range(1..30) } else { 0 })
        };
        sleep(Duration::from_millis(if is_lost { TIMEOUT_MS } else { took_ms })).await;
        (!is_lost).then_some(())
    }

    fn state(&self) -> MutexGuard<'_, ModelState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
