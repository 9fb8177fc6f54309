//! The events of a simulation: changed windows, losses of Redis and of calls, crashes.

use rand::RngExt;

use super::super::window_model::ExactLog;
use super::faults::{Faults, Loss};
use super::stats::WINDOWS_S;
use super::{INSTANCES, Simulation};
use crate::caller::RateLimit;

impl Simulation {
    /// Changes the window of a key on all instances.
    pub(super) fn change_window(&mut self, key: usize) {
        let window_s = WINDOWS_S[self.random.random_range(0..WINDOWS_S.len())];
        let before_s = std::mem::replace(&mut self.limits[key].window_s, window_s);
        self.stats.window_changes += u32::from(window_s != before_s);
        // A longer window counts what Redis counted before, but not what instances admitted without
        // it. The bound holds for what is admitted from now on.
        if self.faults == Faults::Losses && window_s > before_s {
            self.logs[key] = ExactLog::default();
        }
    }

    pub(super) fn lose(&mut self, key: usize) {
        self.stats.losses += 1;
        match self.random.random_range(0..4) {
            0 => self.redis.lose_all(),
            1 => self.redis.lose_generation(),
            2 => self.redis.lose_window(key),
            _ => self.redis_lost_until_ms = self.now_ms + self.random.random_range(0..5000),
        }
    }

    pub(super) fn share(&self, key: usize) -> RateLimit {
        let RateLimit { requests, window_s } = self.limits[key];
        RateLimit { requests: requests / INSTANCES as u32, window_s }
    }

    /// The most that any trailing window may hold.
    pub(super) fn bound(&self, key: usize) -> u32 {
        let requests = self.limits[key].requests;
        match self.faults {
            Faults::CrashesAndLimits => requests,
            // The limit, and the share of each instance, which is at least one request.
            Faults::Losses => requests + requests.max(INSTANCES as u32),
        }
    }

    pub(super) fn crash(&mut self, instance: usize) {
        self.generations_us[instance] = 0;
        self.leases[instance] = Default::default();
        self.renewals.retain(|renewal| renewal.instance != instance);
        self.offsets_ms[instance] = self.random.random_range(0..10_000_000);
    }

    /// One call in a hundred is lost on its way to Redis, and one on its way back.
    pub(super) fn random_loss(&mut self) -> Option<Loss> {
        match self.random.random_range(0..100) {
            _ if self.now_ms < self.redis_lost_until_ms => Some(Loss::ToRedis),
            0 => Some(Loss::ToRedis),
            1 => Some(Loss::FromRedis),
            _ => None,
        }
    }
}
