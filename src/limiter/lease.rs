//! A lease: permits of one key that one instance has taken ahead, so that most requests need no Redis.
//!
//! Pure: the time is an argument, in milliseconds of a clock of the instance's own that never steps.

use super::ring::{AHEAD_S_MAX, Grant, Want};

/// How much of a hot key's traffic a lease holds at most: what comes within this many seconds.
const HOT_S: f64 = 0.25;
/// For how many seconds a hot key's permits are taken.
const HOT_AHEAD_S: u32 = 1;
/// A slow key's permits are taken for the longest time, since its requests are far apart,
const SLOW_AHEAD_S: u32 = AHEAD_S_MAX;
/// at most so many,
const SLOW_PERMITS_MAX: u32 = 4;
/// at most this part of its limit, so that what is counted too long is no more than that,
const SLOW_PART_OF_LIMIT: u32 = 20;
/// and only while it is far from its limit.
const SLOW_REMAINING_PART: u32 = 2;
/// After a failed call, how long requests go on without another one.
const ALONE_MS: u64 = 100;

/// What one instance holds and knows of one key.
#[derive(Debug, Default)]
pub struct Lease {
    left: u32,
    stamp_s: u64,
    ends_ms: u64,
    refused_until_ms: u64,
    alone_until_ms: u64,
    /// As of the last call: permits that nobody had taken, and when the window next frees one.
    remaining: u32,
    reset_ms: u64,
    /// Requests admitted since the last call, which was at:
    admitted: u32,
    called_ms: Option<u64>,
    rate_per_s: f64,
    /// How many permits beyond those waited for a hot key's next lease may hold.
    size: u32,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Admit {
        remaining: u32,
        reset_in_ms: u64,
    },
    Refuse {
        reset_in_ms: u64,
    },
    /// Ask the ledger.
    Ask,
    /// The ledger has just failed: decide without it.
    GoAlone,
}

impl Lease {
    /// Decides from memory where that can be done.
    pub fn step(&mut self, now_ms: u64) -> Step {
        if self.left > 0 && now_ms < self.ends_ms {
            self.left -= 1;
            self.admitted += 1;
            let reset_in_ms = self.reset_ms.saturating_sub(now_ms);
            Step::Admit { remaining: self.remaining.saturating_add(self.left), reset_in_ms }
        } else if now_ms < self.refused_until_ms {
            Step::Refuse { reset_in_ms: self.refused_until_ms - now_ms }
        } else if now_ms < self.alone_until_ms {
            Step::GoAlone
        } else {
            Step::Ask
        }
    }

    /// What to ask the ledger for, with `waiting` requests that wait for the answer (this one included). Permits that
    /// ran out unused go back.
    pub fn want(&mut self, now_ms: u64, waiting: u32, limit: u32, instances: u32) -> Want {
        match self.called_ms {
            Some(called_ms) => self.observe(now_ms.saturating_sub(called_ms)),
            None => self.remaining = limit,
        }
        (self.called_ms, self.admitted) = (Some(now_ms), 0);
        let share = self.remaining / (2 * instances.max(1));
        let (ahead, ahead_s) = self.prefetch(limit);
        let others = waiting.saturating_sub(1);
        // Who waits already uses his permit at once; it must not be taken for long.
        let ahead_s = if others > 0 { HOT_AHEAD_S } else { ahead_s };
        let returned = std::mem::take(&mut self.left);
        Want { ahead: others + ahead.min(share), ahead_s, returned, returned_stamp_s: self.stamp_s }
    }

    /// Learns from the time since the last call: the key's rate, and whether the lease was too small. It doubles where
    /// it was used up and halves where it was not, so that a burst strands no more permits than the burst before needed.
    fn observe(&mut self, elapsed_ms: u64) {
        let elapsed_s = elapsed_ms.max(1) as f64 / 1000.0;
        // Half of it new each time: follows a spike within two calls, and forgets it as fast.
        self.rate_per_s = (self.rate_per_s + f64::from(self.admitted) / elapsed_s) / 2.0;
        let used_up = self.left == 0 && elapsed_ms < u64::from(HOT_AHEAD_S) * 1000;
        self.size = if used_up { (self.size * 2).max(1) } else { self.size / 2 };
    }

    /// How many permits to take beyond those waited for, and for how many seconds.
    fn prefetch(&mut self, limit: u32) -> (u32, u32) {
        let hot = (self.rate_per_s * HOT_S) as u32;
        if hot >= 1 {
            self.size = self.size.min(hot);
            return (self.size, HOT_AHEAD_S);
        }
        if self.remaining < limit / SLOW_REMAINING_PART {
            return (0, HOT_AHEAD_S);
        }
        let expected = (self.rate_per_s * f64::from(SLOW_AHEAD_S)).round() as u32;
        (expected.min(SLOW_PERMITS_MAX).min(limit / SLOW_PART_OF_LIMIT), SLOW_AHEAD_S)
    }

    /// Takes in the ledger's answer to a `want` that was sent at `sent_ms`, and decides on the request that asked.
    ///
    /// The lease ends counted from the sending: the ledger stamped the permits later than that, so the last use of one
    /// lies within the second that it is counted in, whatever the clocks say and however long the answer took.
    pub fn learn(&mut self, sent_ms: u64, now_ms: u64, want: Want, grant: Grant) -> Step {
        (self.left, self.stamp_s) = (grant.ahead, grant.stamp_s);
        self.ends_ms = sent_ms + u64::from(want.ahead_s) * 1000;
        (self.remaining, self.reset_ms) = (grant.remaining, now_ms + grant.reset_in_ms);
        self.alone_until_ms = 0;
        if !grant.admitted {
            self.refused_until_ms = self.reset_ms;
            return Step::Refuse { reset_in_ms: grant.reset_in_ms };
        }
        self.admitted += 1;
        Step::Admit { remaining: grant.remaining.saturating_add(grant.ahead), reset_in_ms: grant.reset_in_ms }
    }

    /// The ledger gave no answer. What was asked for may have been charged: it is not used.
    pub fn fail(&mut self, now_ms: u64) {
        self.alone_until_ms = now_ms + ALONE_MS;
    }

    /// Whether nothing in here matters at `now_ms` any more.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        let called_long_ago = self.called_ms.is_none_or(|called_ms| now_ms > called_ms + IDLE_MS);
        called_long_ago && now_ms >= self.refused_until_ms && now_ms >= self.ends_ms
    }
}

/// A key that was not asked about for this long starts anew.
const IDLE_MS: u64 = 10 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::ring::Ring;

    const LIMIT: u32 = 10_000;

    /// Requests at these times, one after the other, through one lease: (admitted, calls).
    fn drive(times_ms: impl Iterator<Item = u64>, limit: u32) -> (u32, u32) {
        let (mut lease, mut ring, mut admitted, mut calls) = (Lease::default(), Ring::default(), 0, 0);
        for now_ms in times_ms {
            let mut step = lease.step(now_ms);
            if step == Step::Ask {
                calls += 1;
                let want = lease.want(now_ms, 1, limit, 1);
                step = lease.learn(now_ms, now_ms, want, ring.take(now_ms, limit, want));
            }
            admitted += u32::from(matches!(step, Step::Admit { .. }));
        }
        (admitted, calls)
    }

    #[test]
    fn a_hot_key_asks_a_few_times_a_second_whatever_its_rate() {
        // 100 a second for a minute: 6,000 requests below the limit.
        let (admitted, calls) = drive((0..60_000).step_by(10), LIMIT);
        assert_eq!(admitted, 6000);
        assert!(calls < 400, "{calls}");
    }

    #[test]
    fn a_slow_key_asks_once_for_several_requests() {
        // One request in 35 s for an hour and a half.
        let (admitted, calls) = drive((0..5_400_000).step_by(35_000), 100);
        assert_eq!(admitted, 155);
        assert!(calls < 60, "{calls}");
    }

    #[test]
    fn a_flood_is_refused_from_memory() {
        let (admitted, calls) = drive(0..59_000, 100);
        assert_eq!(admitted, 100);
        assert!(calls < 100, "{calls}");
    }

    #[test]
    fn a_burst_on_a_new_key_strands_few_permits() {
        let (mut lease, mut ring) = (Lease::default(), Ring::default());
        for waiting in [1, 60, 14] {
            let want = lease.want(1000, waiting, 100, 2);
            assert!(matches!(lease.learn(1000, 1000, want, ring.take(1000, 100, want)), Step::Admit { .. }));
            (1..waiting).for_each(|_| assert!(matches!(lease.step(1000), Step::Admit { .. })));
        }
        assert!(lease.left <= 4, "{}", lease.left);
    }
}
