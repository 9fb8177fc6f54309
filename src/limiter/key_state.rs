//! The state of one key on one instance: its lease, and the requests that call Redis.

use std::sync::atomic::{AtomicU32, Ordering};

use super::lease::Lease;

#[derive(Default)]
pub struct KeyState {
    pub lease: Lease,
    /// Held during a call to Redis, so that one call of a key is in progress at a time.
    pub call_lock: tokio::sync::Mutex<()>,
    waiting_cost: AtomicU32,
}

impl KeyState {
    /// Counts a request among the waiting ones, until the guard is dropped.
    pub fn wait(&self, cost: u32) -> WaitingGuard<'_> {
        self.waiting_cost.fetch_add(cost, Ordering::Relaxed);
        WaitingGuard { key_state: self, cost }
    }

    /// The total cost of the requests that wait for a call.
    pub fn waiting_cost(&self) -> u32 {
        self.waiting_cost.load(Ordering::Relaxed)
    }
}

/// A request that waits for a call. It is dropped when the request continues or its client
/// disconnects.
pub struct WaitingGuard<'a> {
    key_state: &'a KeyState,
    cost: u32,
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.key_state.waiting_cost.fetch_sub(self.cost, Ordering::Relaxed);
    }
}
