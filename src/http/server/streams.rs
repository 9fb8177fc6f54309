//! Bounds the streams in progress: of the instance, and of each key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::caller::KeyId;
use crate::config::HttpConfig;

/// The streams in progress. Each holds memory for as long as its client reads.
pub struct Streams {
    instance_max: usize,
    per_key_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    of_instance: usize,
    /// Only keys with streams. Keys of one chain of rotations count as one.
    of_keys: HashMap<KeyId, usize>,
}

/// Why no more streams may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamLimit {
    /// The key has this many.
    OfKey(usize),
    OfInstance,
}

/// A stream in progress. It ends when this is dropped.
#[must_use]
pub struct StreamPermit<'a> {
    streams: &'a Streams,
    key: KeyId,
}

impl Streams {
    pub fn new(config: &HttpConfig) -> Self {
        Self {
            instance_max: config.streams_max as usize,
            per_key_max: config.streams_per_key_max as usize,
            counts: Mutex::default(),
        }
    }

    /// Begins a stream of the key with this limit id.
    ///
    /// # Errors
    /// If the key or the instance has as many streams as it may have.
    pub fn begin(&self, key: KeyId) -> Result<StreamPermit<'_>, StreamLimit> {
        let mut counts = self.counts();
        if counts.of_keys.get(&key).is_some_and(|count| *count >= self.per_key_max) {
            return Err(StreamLimit::OfKey(self.per_key_max));
        }
        if counts.of_instance >= self.instance_max {
            return Err(StreamLimit::OfInstance);
        }
        counts.of_instance += 1;
        *counts.of_keys.entry(key).or_default() += 1;
        Ok(StreamPermit { streams: self, key })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // The counts are whole after each statement, so a panic leaves nothing half done.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamPermit<'_> {
    fn drop(&mut self) {
        let mut counts = self.streams.counts();
        counts.of_instance -= 1;
        if let Some(count) = counts.of_keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.of_keys.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_a_key_and_of_the_instance_are_bounded_and_leave_nothing_behind() {
        let streams = Streams { instance_max: 3, per_key_max: 2, counts: Mutex::default() };
        let [first, second] = [KeyId::random(), KeyId::random()];
        let held = [streams.begin(first).unwrap(), streams.begin(first).unwrap()];
        assert_eq!(streams.begin(first).err(), Some(StreamLimit::OfKey(2)));
        let other = streams.begin(second).unwrap();
        assert_eq!(streams.begin(second).err(), Some(StreamLimit::OfInstance));
        drop(held);
        assert!(streams.begin(second).is_ok());
        drop(other);
        let counts = streams.counts();
        assert_eq!((counts.of_instance, counts.of_keys.len()), (0, 0));
    }
}
