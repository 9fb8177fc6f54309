//! What all simulated instances share: the database, Redis, the queries, random numbers, and time.
//! Time is tokio's paused clock, which advances only when all tasks wait.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use super::database::DatabaseModel;
use super::queries::{SimulatedQuery, draw};
use crate::cache::model::RedisModel;

pub const INSTANCES: usize = 3;
/// The number of queries. Some mean the same in a different spelling.
const QUERIES: usize = 600;
/// The time at the start, in epoch milliseconds.
const START_MS: u64 = 1_700_000_000_000;
/// The maximum network latency to Postgres, in one direction. Slow reads take longer.
const LATENCY_MS: u64 = 45;

pub struct Environment {
    started: Instant,
    random: RefCell<StdRng>,
    pub database: RefCell<DatabaseModel>,
    pub redis: RedisModel,
    /// The network of each instance, by slot. A slot keeps its network when its process restarts.
    pub networks: [Network; INSTANCES],
    pub queries: Vec<SimulatedQuery>,
    /// Clients send nothing until then.
    pub quiet_until_ms: Cell<u64>,
}

/// What an instance can reach.
#[derive(Default)]
pub struct Network {
    pub postgres_is_down: Cell<bool>,
    /// When Postgres became reachable again.
    pub postgres_up_since_ms: Cell<u64>,
    /// Whether the instance has noticed that Redis is down.
    pub redis_is_lost: Cell<bool>,
}

/// Postgres is unreachable.
pub struct Unreachable;

impl Environment {
    pub fn new(seed: u64) -> Rc<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        Rc::new(Self {
            started: Instant::now(),
            database: RefCell::new(DatabaseModel::new(INSTANCES)),
            redis: RedisModel::new(seed),
            networks: Default::default(),
            queries: draw(&mut random, QUERIES),
            random: RefCell::new(random),
            quiet_until_ms: Cell::new(0),
        })
    }

    pub fn now_ms(&self) -> u64 {
        START_MS + self.started.elapsed().as_millis() as u64
    }

    /// A random number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.random.borrow_mut().random_range(0..end)
    }

    /// True with a probability of 1 / `times`.
    pub fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Waits for a random time below `below_ms`.
    pub async fn pause(&self, below_ms: u64) {
        wait(self.below(below_ms)).await;
    }

    pub fn random_slot(&self) -> usize {
        self.below(INSTANCES as u64) as usize
    }

    /// Runs a statement on the database from a slot, with the latency of the way there and back.
    pub async fn run<T>(
        &self,
        slot: usize,
        statement: impl FnOnce(&mut DatabaseModel) -> T,
    ) -> Result<T, Unreachable> {
        self.pause(LATENCY_MS).await;
        let is_up = !self.networks[slot].postgres_is_down.get();
        let result = is_up.then(|| statement(&mut self.database.borrow_mut()));
        self.pause(LATENCY_MS).await;
        result.ok_or(Unreachable)
    }
}

pub async fn wait(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}
