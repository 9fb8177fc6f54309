//! A breaker: who fails again and again is left alone for a while, then tried by one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Failures in a row that open it: one slow command is no outage.
const FAILURES_IN_A_ROW: u32 = 3;
const CLOSED: u64 = 0;

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    Failed,
    /// It was waited for in vain, for as long as that is done.
    TimedOut,
}

pub struct Breaker {
    started: Instant,
    open_ms: u64,
    failures: AtomicU32,
    /// Milliseconds since `started` at which one command may try again, or [`CLOSED`].
    retry_at_ms: AtomicU64,
    /// When a command was last waited for in vain; 0 for never.
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

    /// Whether a command may be sent now. While open, one of many is let through to try.
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

    /// Whether somebody waited in vain within the last `within_ms`: whoever can do without need not
    /// wait as well.
    pub fn timed_out_recently(&self, within_ms: u64) -> bool {
        let timed_out_at_ms = self.timed_out_at_ms.load(Ordering::Relaxed);
        timed_out_at_ms != 0 && self.now_ms() <= timed_out_at_ms + within_ms
    }

    /// Takes note of what became of a command. True where it is open from now on.
    pub fn note(&self, outcome: Outcome) -> bool {
        if outcome == Outcome::TimedOut {
            self.timed_out_at_ms.store(self.now_ms(), Ordering::Relaxed);
        }
        if outcome == Outcome::Answered {
            // Stores only when there is something to clear: this line is on every command's way.
            // Both are looked at: a failure and a success at once can leave it open without one
            // counted.
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

    /// At least 1, so that no time is taken for [`CLOSED`].
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Answered, Failed, TimedOut};
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_closes_it() {
        let breaker = Breaker::new(60_000);
        for outcome in [Failed, TimedOut, Answered, TimedOut, Failed] {
            breaker.note(outcome);
            assert!(breaker.allows());
        }
        assert!(breaker.note(Failed));
        assert!(!breaker.allows());
        assert!(!breaker.note(Answered));
        assert!(breaker.allows());
    }

    #[test]
    fn whatever_two_at_once_leave_behind_the_next_success_closes_it() {
        for _ in 0..2000 {
            let breaker = Breaker::new(60_000);
            assert!((0..2).all(|_| !breaker.note(Failed)));
            std::thread::scope(|scope| {
                scope.spawn(|| breaker.note(Failed));
                scope.spawn(|| breaker.note(Answered));
            });
            breaker.note(Answered);
            assert!(breaker.allows());
        }
    }

    #[test]
    fn silence_is_remembered_for_a_while_and_no_failure_is_taken_for_it() {
        let breaker = Breaker::new(60_000);
        breaker.note(Failed);
        assert!(!breaker.timed_out_recently(60_000));
        breaker.note(TimedOut);
        assert!(breaker.timed_out_recently(60_000));
        std::thread::sleep(std::time::Duration::from_millis(3));
        assert!(!breaker.timed_out_recently(1));
    }

    #[test]
    fn when_the_time_is_up_one_is_let_through_and_the_rest_still_wait() {
        let breaker = Breaker::new(0);
        assert_eq!((0..3).filter(|_| breaker.note(Failed)).count(), 1);
        assert!(breaker.allows());
        let breaker = Breaker { retry_at_ms: AtomicU64::new(1), ..Breaker::new(60_000) };
        assert_eq!((0..10).filter(|_| breaker.allows()).count(), 1);
    }
}
