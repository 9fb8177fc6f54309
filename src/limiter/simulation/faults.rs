//! What goes wrong in a simulation, and the renewals that are in progress meanwhile.

use super::super::take::{TakeRequest, WindowAnswer};
use crate::caller::RateLimit;

/// What happens besides lost calls, delays and traffic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// Instances crash, and limits change. Requests that Redis does not decide are rejected.
    CrashesAndLimits,
    /// Redis loses windows, generations or everything, and is lost for seconds. Each instance then
    /// admits its share.
    Losses,
}

/// The direction in which a call is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    ToRedis,
    FromRedis,
}

/// A renewal in progress. Requests continue meanwhile, and may call Redis before it is sent.
pub struct SimulatedRenewal {
    pub instance: usize,
    pub key: usize,
    pub lease_ends_ms: u64,
    /// When the renewal is sent or, if it was sent, when its answer arrives.
    pub due_ms: u64,
    pub sent: Option<SentCall>,
}

pub struct SentCall {
    /// By the clock of the instance.
    pub at_ms: u64,
    pub take: TakeRequest,
    pub limit: RateLimit,
    /// `None` if the answer is lost.
    pub answer: Option<WindowAnswer>,
}
