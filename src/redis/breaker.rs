//! A circuit breaker.
//!
//! It opens after three failures in a row, and then allows one command per pause to try again. A
//! command that succeeds closes it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Failures in a row that open the circuit. A single slow command is no outage.
const FAILURES_IN_A_ROW: u32 = 3;
/// The value of `retry_at_ms` while the circuit is closed.
const CLOSED: u64 = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    Answered,
    Failed,
    TimedOut,
}

pub struct Breaker {
    started: Instant,
    /// The pause between two attempts while the circuit is open.
    open_ms: u64,
    /// Failures since the last success.
    failures: AtomicU32,
    /// Milliseconds since `started` at which one command may try again, or [`CLOSED`].
    retry_at_ms: AtomicU64,
    /// Milliseconds since `started` of the last timeout; 0 before the first.
    timed_out_at_ms: AtomicU64,
}

impl Breaker {
    pub fn new(open_ms: u64) -> Self {
        Self {
            started: Instant::now(),
            open_ms,
            failures: AtomicU32::new(0),
            retry_at_ms: AtomicU64::new(CLOSED),
            timed_out_at_ms: AtomicU64::new(0),
        }
    }

    /// Whether a command may be sent now. While the circuit is open, one command per pause may.
    pub fn allows(&self) -> bool {
        let retry_at_ms = self.retry_at_ms.load(Ordering::Relaxed);
        if retry_at_ms == CLOSED {
            return true;
        }
        let now_ms = self.now_ms();
        now_ms >= retry_at_ms
            && self
                .retry_at_ms
                .compare_exchange(
                    retry_at_ms,
                    now_ms + self.open_ms,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Whether commands fail. Unlike [`Breaker::allows`], this does not let one try again.
    pub fn is_open(&self) -> bool {
        self.retry_at_ms.load(Ordering::Relaxed) != CLOSED
    }

    /// Whether a command timed out within the last `within_ms`. A request that can do without its
    /// next command then skips it.
    pub fn timed_out_recently(&self, within_ms: u64) -> bool {
        let timed_out_at_ms = self.timed_out_at_ms.load(Ordering::Relaxed);
        timed_out_at_ms != 0 && self.now_ms() <= timed_out_at_ms + within_ms
    }

    /// Records the outcome of a command. Returns whether it opened the circuit, or left it open.
    pub fn record(&self, outcome: CommandOutcome) -> bool {
        if outcome == CommandOutcome::TimedOut {
            self.timed_out_at_ms.store(self.now_ms(), Ordering::Relaxed);
        }
        if outcome == CommandOutcome::Answered {
            // Every command comes here, so write only if there is something to clear. Check both:
            // a concurrent failure and success can leave the circuit open with no failure counted.
            if self.failures.load(Ordering::Relaxed) != 0
                || self.retry_at_ms.load(Ordering::Relaxed) != CLOSED
            {
                self.failures.store(0, Ordering::Relaxed);
                self.retry_at_ms.store(CLOSED, Ordering::Relaxed);
            }
            return false;
        }
        let opens = self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_IN_A_ROW;
        if opens {
            self.retry_at_ms.store(self.now_ms() + self.open_ms, Ordering::Relaxed);
        }
        opens
    }

    /// Milliseconds since the start, plus 1 so that no time equals [`CLOSED`].
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::CommandOutcome::{Answered, Failed, TimedOut};
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_closes_it() {
        let breaker = Breaker::new(60_000);
        for outcome in [Failed, TimedOut, Answered, TimedOut, Failed] {
            breaker.record(outcome);
            assert!(breaker.allows());
        }
        assert!(breaker.record(Failed));
        assert!(!breaker.allows());
        assert!(!breaker.record(Answered));
        assert!(breaker.allows());
    }

    #[test]
    fn a_success_closes_it_after_a_concurrent_failure_and_success() {
        for _ in 0..2000 {
            let breaker = Breaker::new(60_000);
            assert!((0..2).all(|_| !breaker.record(Failed)));
            std::thread::scope(|scope| {
                scope.spawn(|| breaker.record(Failed));
                scope.spawn(|| breaker.record(Answered));
            });
            breaker.record(Answered);
            assert!(breaker.allows());
        }
    }

    #[test]
    fn a_timeout_is_remembered_for_a_while_and_other_failures_are_not() {
        let breaker = Breaker::new(60_000);
        breaker.record(Failed);
        assert!(!breaker.timed_out_recently(60_000));
        breaker.record(TimedOut);
        assert!(breaker.timed_out_recently(60_000));
        std::thread::sleep(std::time::Duration::from_millis(3));
        assert!(!breaker.timed_out_recently(1));
    }

    #[test]
    fn after_the_pause_one_command_is_allowed() {
        let breaker = Breaker::new(0);
        assert_eq!((0..3).filter(|_| breaker.record(Failed)).count(), 1);
        assert!(breaker.allows());
        let breaker = Breaker { retry_at_ms: AtomicU64::new(1), ..Breaker::new(60_000) };
        assert_eq!((0..10).filter(|_| breaker.allows()).count(), 1);
    }
}
