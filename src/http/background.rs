//! What goes on beside the requests: hearing of changes, counting instances, sweeping.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveTime, Utc};
use tokio::sync::mpsc;
use tokio::time::interval;

use super::state::State;
use crate::config::CacheConfig;
use crate::redis::{Redis, Word};
use crate::store::StoreFault;

/// Between two looks at how many instances there are, and two sweeps.
const HOUSEKEEPING_MS: u64 = 10_000;

/// Follows changes for as long as the process lives: at once when word comes, and every so often in case it got lost.
pub async fn follow_changes(state: &'static State, config: CacheConfig) {
    let mut words = state.redis.as_ref().and_then(|redis| redis.listen().ok());
    let mut behind = false;
    loop {
        let looked_at = Instant::now();
        let (looked, mut heard) = look(state, &mut words).await;
        // Once an outage: it may last.
        if let (Err(fault), false) = (&looked, behind) {
            tracing::warn!(cause = %fault, "changes can't be looked for; what is known goes on");
        }
        behind = looked.is_err();
        state.versions.set_behind(behind);
        while !heard && !is_due(state, &config, behind, looked_at) {
            let pause = Duration::from_millis(config.changes_poll_alone_ms);
            if let Ok(word) = tokio::time::timeout(pause, next_word(&mut words)).await {
                heed(state, word);
                heard = true;
            }
        }
    }
}

/// Whether it is time to look again: soon where nobody can send word or the last look failed, else now and then.
fn is_due(state: &State, config: &CacheConfig, behind: bool, looked_at: Instant) -> bool {
    let word_may_come = state.redis.as_ref().is_some_and(Redis::is_connected);
    let every_ms = if word_may_come && !behind { config.changes_poll_ms } else { config.changes_poll_alone_ms };
    looked_at.elapsed() >= Duration::from_millis(every_ms)
}

/// Looks for changes, and goes on listening meanwhile: a key is forgotten when word of it comes, whether or not
/// Postgres can be asked about it. Also tells whether any word came, since what it speaks of may have been missed.
async fn look(state: &State, words: &mut Option<mpsc::Receiver<Word>>) -> (Result<(), StoreFault>, bool) {
    let mut looking = std::pin::pin!(catch_up(state));
    let mut heard = false;
    loop {
        tokio::select! {
            looked = &mut looking => return (looked, heard),
            word = next_word(words) => {
                heed(state, word);
                heard = true;
            }
        }
    }
}

fn heed(state: &State, word: Word) {
    if let Word::Key(id) = word {
        state.verifier.doubt(|caller| caller.id == id);
    }
}

/// The next word of another instance; none ever comes where there is no Redis.
async fn next_word(words: &mut Option<mpsc::Receiver<Word>>) -> Word {
    if let Some(listener) = words {
        if let Some(word) = listener.recv().await {
            return word;
        }
        // Nobody will say anything any more: the poll is what is left.
        *words = None;
    }
    std::future::pending().await
}

async fn catch_up(state: &State) -> Result<(), StoreFault> {
    let (keys, tiers) = state.versions.catch_up(&state.store).await?;
    if !keys.is_empty() || !tiers.is_empty() {
        let keys: HashSet<_> = keys.into_iter().collect();
        state.verifier.doubt(|caller| keys.contains(&caller.id) || tiers.contains(&caller.tier.name));
    }
    Ok(())
}

/// Stores what was used, every so often and when a day (UTC) ends.
pub async fn store_usage(state: &'static State, flush_ms: u64) {
    let mut failing = false;
    loop {
        let began = Utc::now();
        let flushed = state.usage.flush(&state.store, began).await;
        // Once an outage: it may last.
        if let (Err(fault), false) = (&flushed, failing) {
            tracing::warn!(cause = %fault, "usage can't be stored; it is kept and tried again");
        }
        failing = flushed.is_err();
        // Where the day has ended meanwhile, what was counted since is of that day.
        if Utc::now().date_naive() == began.date_naive() {
            tokio::time::sleep(pause(Utc::now(), flush_ms)).await;
        }
    }
}

/// Until the next batch: `flush_ms`, or less where the day ends before.
fn pause(now: DateTime<Utc>, flush_ms: u64) -> Duration {
    let tomorrow = (now.date_naive() + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    let left = (tomorrow - now).to_std().unwrap_or_default();
    Duration::from_millis(flush_ms).min(left)
}

/// Sweeps idle windows and learns how many instances share the limits.
pub async fn keep_house(state: &'static State) {
    let mut tick = interval(Duration::from_millis(HOUSEKEEPING_MS));
    loop {
        tick.tick().await;
        state.limiter.sweep();
        if let Some(redis) = &state.redis
            && let Ok(instances) = redis.listeners().await
        {
            state.limiter.set_instances(instances);
        }
    }
}
