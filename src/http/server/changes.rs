//! Follows committed changes of data, keys and tiers.
//!
//! This instance reads the changes at once when a message arrives through Redis, and otherwise at
//! an interval, in case a message is lost. Without Redis the interval is short.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::state::State;
use crate::config::CacheConfig;
use crate::redis::{Message, Redis};
use crate::store::StoreError;

/// The shortest time between two reads of which the second one is due to a new connection.
const RECONNECTED_PAUSE: Duration = Duration::from_millis(50);

/// An instance that follows changes: the server, and an instance in the simulation of the cache.
pub trait ChangeFollower {
    /// Reads and applies the changes since the last call.
    async fn catch_up(&self) -> Result<(), StoreError>;

    /// Acts on a message before the changes are read.
    fn handle_message(&self, message: Message);

    /// Whether messages can arrive now.
    fn receives_messages(&self) -> bool;

    /// Waits until changes may be read from another database than before.
    async fn connections_changed(&self);

    /// Ends a read of the changes, which may have failed.
    fn set_behind(&self, is_behind: bool);

    /// Begins a rest without polls, if nobody needs the changes. Returns whether it rests.
    fn rests(&self) -> bool {
        false
    }

    /// Waits until somebody needs the changes.
    async fn asked(&self) {
        std::future::pending().await
    }
}

impl ChangeFollower for State {
    async fn catch_up(&self) -> Result<(), StoreError> {
        let applied_by_others = match &self.redis {
            Some(redis) if self.versions.revision().is_none() => applied_revision(redis).await,
            _ => None,
        };
        let found = self.versions.catch_up(&self.store, applied_by_others).await?;
        if found.is_restored {
            // One of them may lead to the server of the other history.
            self.store.close_idle_connections();
            self.verifier.invalidate(|_| true);
        } else if !found.keys.is_empty() || !found.tiers.is_empty() {
            let keys: HashSet<_> = found.keys.into_iter().collect();
            self.verifier.invalidate(|caller| {
                keys.contains(&caller.id) || found.tiers.contains(&caller.tier.name)
            });
        }
        if let Some(redis) = &self.redis {
            self.store_applied_revision(redis).await;
        }
        Ok(())
    }

    async fn connections_changed(&self) {
        self.store.connections_changed().await;
        // A hosted database ends connections when it falls asleep. The end of a rest reads anyway.
        while self.activity.is_resting() {
            self.store.connections_changed().await;
        }
    }

    fn handle_message(&self, message: Message) {
        match message {
            Message::Key(id) => self.verifier.invalidate(|caller| caller.id == id),
            Message::InstanceJoined => self.instance_joined.notify_one(),
            Message::DataChanged => {}
        }
    }

    fn receives_messages(&self) -> bool {
        self.redis.as_ref().is_some_and(Redis::receives_messages)
    }

    fn set_behind(&self, is_behind: bool) {
        self.versions.set_behind(is_behind);
        if self.activity.resume() {
            // Others may have come and gone unnoticed.
            self.instance_joined.notify_one();
        }
        self.store.pause_polls(false);
    }

    fn rests(&self) -> bool {
        let rests = self.activity.rest_if_idle();
        self.store.pause_polls(rests);
        rests
    }

    async fn asked(&self) {
        self.activity.asked().await;
    }
}

impl State {
    /// Stores the applied revision in Redis if it is new, or stored long ago.
    async fn store_applied_revision(&self, redis: &Redis) {
        let revision = self.versions.last_revision();
        let mut stored = self.revision_in_redis.lock().await;
        let is_stored = |(last, at): &(i64, Instant)| {
            *last == revision && at.elapsed() < APPLIED_REVISION_STORED_AGAIN
        };
        if stored.as_ref().is_some_and(is_stored) {
            return;
        }
        let text = revision.to_string().into_bytes();
        // If it fails, an instance that starts relies on versions: revisions are times, and no
        // history draws one of another again.
        if redis.set(APPLIED_REVISION, text, APPLIED_REVISION_TTL_MS).await.is_ok() {
            *stored = Some((revision, Instant::now()));
        }
    }
}

/// The value in Redis that holds the revision of which cached responses there may be. An instance
/// that starts learns from it whether the history of the database went back while none ran.
const APPLIED_REVISION: &str = "revision";

/// Longer than any cached response is kept.
const APPLIED_REVISION_TTL_MS: i64 = 7 * 24 * 3600 * 1000;
/// Redis may have lost the value, or keep it no longer.
const APPLIED_REVISION_STORED_AGAIN: Duration = Duration::from_secs(3600);

async fn applied_revision(redis: &Redis) -> Option<i64> {
    let value = redis.get(APPLIED_REVISION).await.ok().flatten()?;
    std::str::from_utf8(&value).ok()?.parse().ok()
}

/// Follows changes until the process ends.
pub async fn follow_changes(state: &'static State, config: CacheConfig) {
    if let Some(redis) = &state.redis {
        redis.check_regularly(|| state.activity.is_idle());
    }
    let messages = state.redis.as_ref().and_then(|redis| redis.subscribe().ok());
    follow(state, messages, &config).await;
}

/// `messages` is `None` without Redis.
pub async fn follow(
    follower: &impl ChangeFollower,
    mut messages: Option<mpsc::Receiver<Message>>,
    config: &CacheConfig,
) {
    let mut is_behind = false;
    loop {
        let read_at = Instant::now();
        let (result, mut message_arrived) = catch_up(follower, &mut messages).await;
        // Once per outage, which may last.
        if let (Err(error), false) = (&result, is_behind) {
            tracing::warn!(
                cause = %error,
                "changes can't be read: this instance keeps its data versions"
            );
        }
        is_behind = result.is_err();
        follower.set_behind(is_behind);
        while !message_arrived && !is_due(follower, config, is_behind, read_at) {
            // The shorter interval: which one applies may change meanwhile.
            let pause = Duration::from_millis(
                config.changes_poll_without_redis_ms.min(config.changes_poll_ms),
            );
            tokio::select! {
                biased;
                message = next_message(&mut messages) => {
                    follower.handle_message(message);
                    message_arrived = true;
                }
                () = follower.connections_changed() => {
                    // A server that closes each new connection must not cause a busy loop.
                    tokio::time::sleep_until(read_at + RECONNECTED_PAUSE).await;
                    break;
                }
                () = follower.asked() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Whether to read the changes again. The interval is short if no messages can arrive or the last
/// read failed.
fn is_due(
    follower: &impl ChangeFollower,
    config: &CacheConfig,
    is_behind: bool,
    read_at: Instant,
) -> bool {
    let relies_on_messages = follower.receives_messages() && !is_behind;
    let interval_ms = if relies_on_messages {
        config.changes_poll_ms
    } else {
        config.changes_poll_without_redis_ms
    };
    read_at.elapsed() >= Duration::from_millis(interval_ms) && (is_behind || !follower.rests())
}

/// Reads the changes, and handles messages meanwhile: a key is invalidated even if Postgres can't
/// be read.
///
/// Also returns whether a message arrived. Then the changes are read again, because this read may
/// have missed the change.
async fn catch_up(
    follower: &impl ChangeFollower,
    messages: &mut Option<mpsc::Receiver<Message>>,
) -> (Result<(), StoreError>, bool) {
    let mut read = std::pin::pin!(follower.catch_up());
    let mut message_arrived = false;
    loop {
        tokio::select! {
            // In this order, so that any number of messages can't delay the result, and a
            // simulation can be repeated.
            biased;
            result = &mut read => return (result, message_arrived),
            message = next_message(messages) => {
                follower.handle_message(message);
                message_arrived = true;
            }
        }
    }
}

/// The next message of another instance. Never returns without Redis.
async fn next_message(messages: &mut Option<mpsc::Receiver<Message>>) -> Message {
    if let Some(receiver) = messages {
        if let Some(message) = receiver.recv().await {
            return message;
        }
        // The sender is gone; only the interval remains.
        *messages = None;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts the reads. Messages could arrive, and none does.
    #[derive(Default)]
    struct CountingFollower(Cell<u64>);

    impl ChangeFollower for CountingFollower {
        async fn catch_up(&self) -> Result<(), StoreError> {
            self.0.set(self.0.get() + 1);
            Ok(())
        }

        fn handle_message(&self, _: Message) {}

        fn receives_messages(&self) -> bool {
            true
        }

        async fn connections_changed(&self) {
            std::future::pending().await
        }

        fn set_behind(&self, _: bool) {}
    }

    #[tokio::test(start_paused = true)]
    async fn with_redis_changes_are_read_at_the_configured_interval() {
        for (changes_poll_ms, expected) in [(100, 100), (500, 20), (2000, 5)] {
            let config = CacheConfig {
                cache_memory_bytes_max: 0,
                cache_writes_max: 1,
                changes_poll_ms,
                changes_poll_without_redis_ms: 500,
                rest_after_s: 0,
                cache_stale_s_max: 0,
            };
            let follower = CountingFollower::default();
            let followed = follow(&follower, None, &config);
            let ended = tokio::time::timeout(Duration::from_millis(9_990), followed).await;
            // A timer fires up to a millisecond late.
            let reads = follower.0.get();
            assert!(
                ended.is_err() && (expected * 98 / 100..=expected).contains(&reads),
                "{reads} in 10 s, every {changes_poll_ms} ms"
            );
        }
    }
}
