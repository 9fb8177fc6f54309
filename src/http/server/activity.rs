//! Whether anybody asks this instance. Without requests for a while it rests: it polls neither
//! Postgres nor Redis, so that a hosted database may sleep and a hosted Redis counts no calls.
//! Messages about changes still arrive. The next request waits until changes have been read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

pub struct Activity {
    began: Instant,
    /// The instance rests after this many seconds without requests. 0 for never.
    rest_after_s: u64,
    /// When the last request came, in seconds since the begin.
    last_request_s: AtomicU64,
    is_resting: AtomicBool,
    /// A request waits for the end of the rest.
    asked: Notify,
    resumed: Notify,
}

impl Activity {
    pub fn new(rest_after_s: u64) -> Self {
        Self {
            began: Instant::now(),
            rest_after_s,
            last_request_s: AtomicU64::new(0),
            is_resting: AtomicBool::new(false),
            asked: Notify::new(),
            resumed: Notify::new(),
        }
    }

    /// Counts a request that came at `now`.
    pub fn count_request(&self, now: Instant) {
        let now_s = now.saturating_duration_since(self.began).as_secs();
        // Once a second: all workers read this, and a write would take it from their caches.
        if self.last_request_s.load(Ordering::SeqCst) != now_s {
            self.last_request_s.store(now_s, Ordering::SeqCst);
        }
    }

    /// Whether changes may have been missed since polling stopped.
    pub fn is_resting(&self) -> bool {
        self.is_resting.load(Ordering::SeqCst)
    }

    /// Whether no request came for so long that nothing needs polling.
    pub fn is_idle(&self) -> bool {
        let idle_s = self
            .began
            .elapsed()
            .as_secs()
            .saturating_sub(self.last_request_s.load(Ordering::SeqCst));
        self.rest_after_s > 0 && idle_s >= self.rest_after_s
    }

    /// Begins the rest, if the instance is idle. Returns whether it rests.
    ///
    /// A request counts itself before it looks whether the instance rests, and this looks for
    /// requests after it began the rest. So either this sees the request, or the request waits.
    pub fn rest_if_idle(&self) -> bool {
        if !self.is_idle() {
            return false;
        }
        let rested_before = self.is_resting.swap(true, Ordering::SeqCst);
        let rests = self.is_idle();
        // A rest that lasts ends with a read: the request may be waiting for it.
        if !rests && !rested_before {
            self.resume();
        }
        rests
    }

    /// Ends the rest: changes have been read, or can't be. Returns whether there was one.
    pub fn resume(&self) -> bool {
        let rested = self.is_resting.swap(false, Ordering::SeqCst);
        self.resumed.notify_waiters();
        rested
    }

    /// Waits until a request wants the rest to end.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Ends a rest and waits for it. The time limits of the read that it waits for bound it.
    pub async fn wake(&self) {
        while self.is_resting() {
            let mut resumed = std::pin::pin!(self.resumed.notified());
            resumed.as_mut().enable();
            if self.is_resting() {
                self.asked.notify_one();
                resumed.await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_request_ends_the_rest_and_waits_for_it() {
        let activity = Activity::new(1);
        assert!(!activity.rest_if_idle(), "it has just begun");
        let later = activity.began + Duration::from_secs(30);
        let idle = Activity { began: Instant::now() - Duration::from_secs(60), ..activity };
        assert!(idle.rest_if_idle() && idle.is_resting());
        idle.count_request(later);
        let follower = async {
            idle.asked().await;
            assert!(idle.is_resting(), "the request still waits");
            idle.resume();
        };
        let both = async { tokio::join!(idle.wake(), follower) };
        tokio::time::timeout(Duration::from_secs(10), both).await.expect("the rest ends");
        assert!(!idle.is_resting());
    }

    #[test]
    fn with_0_an_instance_never_rests() {
        let activity =
            Activity { began: Instant::now() - Duration::from_secs(86_400), ..Activity::new(0) };
        assert!(!activity.rest_if_idle() && !activity.is_resting());
    }
}
