//! What instances share, and time: tokio's, which stands still while anybody has something to do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use super::instance::Instance;
use super::questions::{Asked, draw};
use super::truth::Truth;
use crate::cache::model::RedisModel;

pub const INSTANCES: usize = 3;
/// Some of them the same in other words.
const QUESTIONS: usize = 600;
/// True time starts here.
const START_MS: u64 = 1_700_000_000_000;
/// What one way to Postgres or back takes at most, but for the slow reads.
const TRIP_MS: u64 = 90;

pub struct World {
    started: Instant,
    random: RefCell<StdRng>,
    pub truth: RefCell<Truth>,
    pub redis: RedisModel,
    pub slots: [Slot; INSTANCES],
    pub questions: Vec<Asked>,
    /// Nobody asks anything until then.
    pub quiet_until_ms: Cell<u64>,
}

/// Where an instance runs, whichever process it is now.
#[derive(Default)]
pub struct Slot {
    pub instance: RefCell<Option<Rc<Instance>>>,
    /// Whether Postgres can't be reached from here, and when it last could again.
    pub postgres_is_away: Cell<bool>,
    pub postgres_back_ms: Cell<u64>,
    /// Whether it was noticed here that Redis is lost.
    pub redis_is_lost: Cell<bool>,
}

/// Postgres can't be reached.
pub struct Away;

impl World {
    pub fn new(seed: u64) -> Rc<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        Rc::new(Self {
            started: Instant::now(),
            truth: RefCell::new(Truth::new(INSTANCES)),
            redis: RedisModel::new(seed),
            slots: Default::default(),
            questions: draw(&mut random, QUESTIONS),
            random: RefCell::new(random),
            quiet_until_ms: Cell::new(0),
        })
    }

    pub fn now_ms(&self) -> u64 {
        START_MS + self.started.elapsed().as_millis() as u64
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.random.borrow_mut().random_range(0..end)
    }

    /// True once in so many times.
    pub fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Lets at most so much time pass.
    pub async fn pause(&self, below_ms: u64) {
        wait(self.below(below_ms)).await;
    }

    pub fn any_slot(&self) -> usize {
        self.below(INSTANCES as u64) as usize
    }

    /// Reads what is true now, as it is seen from a slot: a trip there and one back.
    pub async fn read<T>(&self, slot: usize, read: impl FnOnce(&Truth) -> T) -> Result<T, Away> {
        self.pause(TRIP_MS).await;
        let seen = (!self.slots[slot].postgres_is_away.get()).then(|| read(&self.truth.borrow()));
        self.pause(TRIP_MS).await;
        seen.ok_or(Away)
    }
}

pub async fn wait(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}
