//! Hearing of what was committed: at once when word comes, and every so often in case it got lost.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::state::State;
use crate::config::CacheConfig;
use crate::redis::{Message, Redis};
use crate::store::StoreError;

/// Who follows changes: an instance, as it is and in the simulation of the cache.
pub(in crate::http) trait ChangeFollower {
    /// Looks for what was committed since the last time.
    async fn look(&self) -> Result<(), StoreError>;

    fn heed(&self, word: Message);

    /// Whether whoever changes something can send word of it.
    fn word_may_come(&self) -> bool;

    fn set_behind(&self, behind: bool);
}

impl ChangeFollower for State {
    async fn look(&self) -> Result<(), StoreError> {
        let (keys, tiers) = self.versions.catch_up(&self.store).await?;
        if !keys.is_empty() || !tiers.is_empty() {
            let keys: HashSet<_> = keys.into_iter().collect();
            self.verifier.invalidate(|caller| {
                keys.contains(&caller.id) || tiers.contains(&caller.tier.name)
            });
        }
        Ok(())
    }

    fn heed(&self, word: Message) {
        if let Message::Key(id) = word {
            self.verifier.invalidate(|caller| caller.id == id);
        }
    }

    fn word_may_come(&self) -> bool {
        self.redis.as_ref().is_some_and(Redis::is_connected)
    }

    fn set_behind(&self, behind: bool) {
        self.versions.set_behind(behind);
    }
}

/// Follows changes for as long as the process lives.
pub async fn follow_changes(state: &'static State, config: CacheConfig) {
    let words = state.redis.as_ref().and_then(|redis| redis.listen().ok());
    follow(state, words, &config).await;
}

/// `words` is `None` where nobody can send any.
pub(in crate::http) async fn follow(
    follower: &impl ChangeFollower,
    mut words: Option<mpsc::Receiver<Message>>,
    config: &CacheConfig,
) {
    let mut behind = false;
    loop {
        let looked_at = Instant::now();
        let (looked, mut heard) = look(follower, &mut words).await;
        // Once an outage: it may last.
        if let (Err(error), false) = (&looked, behind) {
            tracing::warn!(cause = %error, "changes can't be looked for; what is known goes on");
        }
        behind = looked.is_err();
        follower.set_behind(behind);
        while !heard && !is_due(follower, config, behind, looked_at) {
            // Whichever of them holds may change meanwhile.
            let pause = Duration::from_millis(
                config.changes_poll_without_redis_ms.min(config.changes_poll_ms),
            );
            if let Ok(word) = tokio::time::timeout(pause, next_word(&mut words)).await {
                follower.heed(word);
                heard = true;
            }
        }
    }
}

/// Whether it is time to look again: soon where nobody can send word or the last look failed, else
/// now and then.
fn is_due(
    follower: &impl ChangeFollower,
    config: &CacheConfig,
    behind: bool,
    looked_at: Instant,
) -> bool {
    let waits_for_word = follower.word_may_come() && !behind;
    let every_ms =
        if waits_for_word { config.changes_poll_ms } else { config.changes_poll_without_redis_ms };
    looked_at.elapsed() >= Duration::from_millis(every_ms)
}

/// Looks for changes, and goes on listening meanwhile: a key is doubted when word of it comes,
/// whether or not Postgres can be asked about it. Also tells whether any word came, since what it
/// speaks of may have been missed.
async fn look(
    follower: &impl ChangeFollower,
    words: &mut Option<mpsc::Receiver<Message>>,
) -> (Result<(), StoreError>, bool) {
    let mut looking = std::pin::pin!(follower.look());
    let mut heard = false;
    loop {
        tokio::select! {
            // In this order: however many words come, the look ends. And a simulation can be
            // repeated.
            biased;
            looked = &mut looking => return (looked, heard),
            word = next_word(words) => {
                follower.heed(word);
                heard = true;
            }
        }
    }
}

/// The next word of another instance; none ever comes where there is no Redis.
async fn next_word(words: &mut Option<mpsc::Receiver<Message>>) -> Message {
    if let Some(listener) = words {
        if let Some(word) = listener.recv().await {
            return word;
        }
        // Nobody will say anything any more: the poll is what is left.
        *words = None;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts looks; word may come, and none does.
    #[derive(Default)]
    struct Looks(Cell<u64>);

    impl ChangeFollower for Looks {
        async fn look(&self) -> Result<(), StoreError> {
            self.0.set(self.0.get() + 1);
            Ok(())
        }

        fn heed(&self, _: Message) {}

        fn word_may_come(&self) -> bool {
            true
        }

        fn set_behind(&self, _: bool) {}
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_looked_for_as_often_as_they_are_to_be_with_redis() {
        for (changes_poll_ms, looks) in [(100, 100), (500, 20), (2000, 5)] {
            let config = CacheConfig {
                cache_memory_bytes_max: 0,
                cache_writes_max: 1,
                changes_poll_ms,
                changes_poll_without_redis_ms: 500,
                cache_stale_s_max: 0,
            };
            let follower = Looks::default();
            let followed = follow(&follower, None, &config);
            let over = tokio::time::timeout(Duration::from_millis(9_990), followed).await;
            // A timer ends a millisecond late at most.
            let seen = follower.0.get();
            assert!(
                over.is_err() && (looks * 98 / 100..=looks).contains(&seen),
                "{seen} in 10 s, every {changes_poll_ms} ms"
            );
        }
    }
}
