//! What a simulation counts, and what must hold at its end.

pub const KEYS: usize = 6;

/// The limit of each key. With low limits most requests are rejected, with high limits few are.
pub const LIMITS: [u32; KEYS] = [1, 7, 100, 100, 1000, 10_000];

/// The windows between which tiers change.
pub const WINDOWS_S: [u32; 3] = [10, 60, 3600];

#[derive(Default)]
pub struct Stats {
    pub decisions: u32,
    pub admitted: u32,
    /// Calls to Redis, renewals included.
    pub calls: u32,
    pub answered_renewals: u32,
    pub costly_admitted: u32,
    pub costly_rejected: u32,
    /// Requests that were admitted without Redis.
    pub admitted_locally: u32,
    /// Answers of Redis that it had lost a window.
    pub lost: u32,
    /// How often Redis lost something.
    pub losses: u32,
    pub limit_changes: u32,
    pub window_changes: u32,
    /// The highest cost of any trailing window, by key.
    pub highest: [u32; KEYS],
    /// Requests that were admitted beyond the limit at that time, and beyond the bound.
    pub over_limit: u32,
    pub over_bound: u32,
}

impl Stats {
    /// Prints what happened. Fails if a key exceeded its bound, or if too little happened.
    pub fn check(&self, seed: u64) {
        let Stats { decisions, admitted, admitted_locally, calls, answered_renewals, .. } = *self;
        println!("{decisions} decisions, {admitted} admitted ({admitted_locally} without Redis)");
        println!("{calls} calls, {answered_renewals} renewals with an answer");
        let Stats { costly_admitted, costly_rejected, .. } = *self;
        println!("cost above 1: {costly_admitted} admitted, {costly_rejected} rejected");
        let Stats { losses, lost, limit_changes, window_changes, .. } = *self;
        println!("{losses} losses, {lost} lost windows seen");
        println!("{limit_changes} limits and {window_changes} windows changed");
        let Stats { over_limit, over_bound, highest, .. } = *self;
        println!("highest {highest:?}, {over_limit} over the limit, {over_bound} over the bound");
        assert_eq!(over_bound, 0, "seed {seed}: {highest:?} of {LIMITS:?}");
        assert!(costly_admitted > 1000 && costly_rejected > 1000);
        assert!(answered_renewals > 300, "too few renewals: {answered_renewals}");
        // A limiter that rejects everything would keep the limit, too. Keys with a low limit must
        // come close to it.
        let low_limits_are_used =
            highest.iter().zip(LIMITS).take(4).all(|(highest, limit)| *highest * 10 >= limit * 9);
        assert!(low_limits_are_used, "{highest:?}");
    }
}
