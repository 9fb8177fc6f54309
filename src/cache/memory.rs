//! The memory tier: bounded by bytes, and the place where concurrent misses of one key meet.

use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, Weighter};

use super::Entry;

/// What an entry costs beyond its bytes: its slot in the table.
const SLOT_BYTES: u64 = 64;
/// The size that the table is first laid out for.
const TYPICAL_ENTRY_BYTES: u64 = 4096;

#[derive(Clone)]
struct Bytes;

/// What is known of a key.
#[derive(Clone)]
pub enum Slot {
    Answer(Arc<Entry>),
    /// No answer could be had; nobody need try again before this time, in epoch milliseconds.
    Failed {
        until_ms: u64,
    },
    /// The answer is none that is kept: until this time everybody gets it for himself, side by
    /// side.
    Uncacheable {
        until_ms: u64,
    },
}

impl Weighter<Arc<str>, Slot> for Bytes {
    fn weight(&self, key: &Arc<str>, slot: &Slot) -> u64 {
        let answer_bytes = if let Slot::Answer(entry) = slot { entry.weight_bytes() } else { 0 };
        key.len() as u64 + answer_bytes + SLOT_BYTES
    }
}

pub struct Memory {
    entries: Cache<Arc<str>, Slot, Bytes>,
}

type Placeholder<'a> = PlaceholderGuard<
    'a,
    Arc<str>,
    Slot,
    Bytes,
    DefaultHashBuilder,
    DefaultLifecycle<Arc<str>, Slot>,
>;

/// The right to fill in a key that others wait for.
pub struct Guard<'a>(Placeholder<'a>);

impl Memory {
    pub fn new(bytes_max: u64) -> Self {
        let entries = (bytes_max / TYPICAL_ENTRY_BYTES).max(16) as usize;
        Self { entries: Cache::with_weighter(entries, bytes_max, Bytes) }
    }

    /// Entries, and their weight in bytes.
    pub fn size(&self) -> (u64, u64) {
        (self.entries.len() as u64, self.entries.weight())
    }

    pub fn get(&self, key: &str) -> Option<Slot> {
        self.entries.get(key)
    }

    pub fn insert(&self, key: Arc<str>, slot: Slot) {
        self.entries.insert(key, slot);
    }

    /// Removes what was found too old, and nothing that has taken its place meanwhile.
    pub fn remove(&self, key: &str, old: &Slot) {
        self.entries.remove_if(key, |current| match (current, old) {
            (Slot::Answer(current), Slot::Answer(old)) => Arc::ptr_eq(current, old),
            (Slot::Failed { until_ms: current }, Slot::Failed { until_ms: old })
            | (Slot::Uncacheable { until_ms: current }, Slot::Uncacheable { until_ms: old }) => {
                current == old
            }
            _ => false,
        });
    }

    /// What is known, as soon as somebody has filled it in, or the right to fill it in.
    pub async fn get_or_guard(&self, key: &Arc<str>) -> Result<Slot, Guard<'_>> {
        self.entries.get_value_or_guard_async(key).await.map_err(Guard)
    }
}

impl Guard<'_> {
    pub fn fill(self, slot: Slot) {
        // Refused only where the key was removed meanwhile: then nobody waits.
        let _ = self.0.insert(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Answer, Lifetime};

    #[test]
    fn the_bound_in_bytes_holds_whatever_is_put_in() {
        let memory = Memory::new(1024 * 1024);
        for n in 0..5000u32 {
            let body = vec![b'x'; 100 + n as usize % 4000];
            let entry =
                Entry::new(Answer::json(body), Lifetime { fresh_s: 60, revalidate_s: 0 }, 0);
            memory.insert(n.to_string().into(), Slot::Answer(Arc::new(entry)));
        }
        assert!(memory.entries.weight() <= 1024 * 1024);
        assert!(memory.entries.len() > 100);
    }
}
