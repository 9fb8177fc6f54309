//! A breaker: who fails again and again is left alone for a while, then tried by one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Failures in a row that open it: one slow command is no outage.
const FAILURES_IN_A_ROW: u32 = 3;
const CLOSED: u64 = 0;

pub struct Breaker {
    started: Instant,
    open_ms: u64,
    failures: AtomicU32,
    /// Milliseconds since `started` at which one command may try again, or [`CLOSED`].
    retry_at_ms: AtomicU64,
}

impl Breaker {
    pub fn new(open_ms: u64) -> Self {
        Self { started: Instant::now(), open_ms, failures: AtomicU32::new(0), retry_at_ms: AtomicU64::new(CLOSED) }
    }

    /// Whether a command may be sent now. While open, one of many is let through to try.
    pub fn lets_pass(&self) -> bool {
        let retry_at_ms = self.retry_at_ms.load(Ordering::Relaxed);
        if retry_at_ms == CLOSED {
            return true;
        }
        let now_ms = self.now_ms();
        now_ms >= retry_at_ms
            && self
                .retry_at_ms
                .compare_exchange(retry_at_ms, now_ms + self.open_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Takes note of how a command went.
    pub fn note(&self, succeeded: bool) {
        if succeeded {
            // Stores only when there is something to clear: this line is on every command's way.
            // Both are looked at: a failure and a success at once can leave it open without one counted.
            if self.failures.load(Ordering::Relaxed) != 0 || self.retry_at_ms.load(Ordering::Relaxed) != CLOSED {
                self.failures.store(0, Ordering::Relaxed);
                self.retry_at_ms.store(CLOSED, Ordering::Relaxed);
            }
        } else if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_IN_A_ROW {
            self.retry_at_ms.store(self.now_ms() + self.open_ms, Ordering::Relaxed);
        }
    }

    /// At least 1, so that no time is taken for [`CLOSED`].
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_closes_it() {
        let breaker = Breaker::new(60_000);
        for succeeded in [false, false, true, false, false] {
            breaker.note(succeeded);
            assert!(breaker.lets_pass());
        }
        breaker.note(false);
        assert!(!breaker.lets_pass());
        breaker.note(true);
        assert!(breaker.lets_pass());
    }

    #[test]
    fn whatever_two_at_once_leave_behind_the_next_success_closes_it() {
        for _ in 0..2000 {
            let breaker = Breaker::new(60_000);
            (0..2).for_each(|_| breaker.note(false));
            std::thread::scope(|scope| {
                scope.spawn(|| breaker.note(false));
                scope.spawn(|| breaker.note(true));
            });
            breaker.note(true);
            assert!(breaker.lets_pass());
        }
    }

    #[test]
    fn when_the_time_is_up_one_is_let_through_and_the_rest_still_wait() {
        let breaker = Breaker::new(0);
        (0..3).for_each(|_| breaker.note(false));
        assert!(breaker.lets_pass());
        let breaker = Breaker { retry_at_ms: AtomicU64::new(1), ..Breaker::new(60_000) };
        assert_eq!((0..10).filter(|_| breaker.lets_pass()).count(), 1);
    }
}
