//! The memory tier: entries by key, bounded by bytes, with the least recently used evicted.
//!
//! Of concurrent requests for a missing key, the first gets a [`FillGuard`]. The others wait until
//! it is filled or dropped.

use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, Weighter};

use super::entry::Entry;

/// The memory that a slot takes in the table, without its key and entry.
const SLOT_BYTES: u64 = 64;
/// The size of entries that the initial capacity of the table assumes.
const TYPICAL_ENTRY_BYTES: u64 = 4096;

/// The value that the cache has for a key.
#[derive(Clone)]
pub enum Slot {
    Entry(Arc<Entry>),
    /// A request failed. Until this time (epoch milliseconds) no other one tries.
    Failed {
        until_ms: u64,
    },
    /// The response is not cacheable. Until this time (epoch milliseconds) each request runs its
    /// handler without waiting for others.
    Uncacheable {
        until_ms: u64,
    },
}

#[derive(Clone)]
struct SlotWeighter;

impl Weighter<Arc<str>, Slot> for SlotWeighter {
    /// The size in bytes.
    fn weight(&self, key: &Arc<str>, slot: &Slot) -> u64 {
        let entry_bytes = if let Slot::Entry(entry) = slot { entry.size_bytes() } else { 0 };
        key.len() as u64 + entry_bytes + SLOT_BYTES
    }
}

/// What the memory tier holds.
pub struct MemoryUsage {
    pub entries: u64,
    pub bytes: u64,
}

pub struct MemoryTier {
    slots: Cache<Arc<str>, Slot, SlotWeighter>,
}

type Placeholder<'a> = PlaceholderGuard<
    'a,
    Arc<str>,
    Slot,
    SlotWeighter,
    DefaultHashBuilder,
    DefaultLifecycle<Arc<str>, Slot>,
>;

/// The right to fill a key that other requests wait for.
pub struct FillGuard<'a>(Placeholder<'a>);

impl MemoryTier {
    pub fn new(bytes_max: u64) -> Self {
        let capacity = (bytes_max / TYPICAL_ENTRY_BYTES).max(16) as usize;
        Self { slots: Cache::with_weighter(capacity, bytes_max, SlotWeighter) }
    }

    pub fn usage(&self) -> MemoryUsage {
        MemoryUsage { entries: self.slots.len() as u64, bytes: self.slots.weight() }
    }

    pub fn get(&self, key: &str) -> Option<Slot> {
        self.slots.get(key)
    }

    pub fn insert(&self, key: Arc<str>, slot: Slot) {
        self.slots.insert(key, slot);
    }

    /// Removes an expired slot, unless another request has replaced it meanwhile.
    pub fn remove_if_same(&self, key: &str, expired: &Slot) {
        self.slots.remove_if(key, |current| match (current, expired) {
            (Slot::Entry(current), Slot::Entry(expired)) => Arc::ptr_eq(current, expired),
            (Slot::Failed { until_ms: current }, Slot::Failed { until_ms: expired })
            | (
                Slot::Uncacheable { until_ms: current },
                Slot::Uncacheable { until_ms: expired },
            ) => current == expired,
            _ => false,
        });
    }

    /// Waits for the slot of a key if a request is about to fill it.
    ///
    /// # Errors
    /// The guard, if no request is about to fill the key: the caller fills it.
    pub async fn get_or_guard(&self, key: &Arc<str>) -> Result<Slot, FillGuard<'_>> {
        self.slots.get_value_or_guard_async(key).await.map_err(FillGuard)
    }
}

impl FillGuard<'_> {
    pub fn fill(self, slot: Slot) {
        // This fails only if the key was removed meanwhile; then no request waits for it.
        let _ = self.0.insert(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::entry::CachedResponse;
    use crate::cache::policy::Lifetime;

    #[test]
    fn the_bound_in_bytes_holds_for_entries_of_any_size() {
        let memory = MemoryTier::new(1024 * 1024);
        let lifetime = Lifetime { fresh_s: 60, revalidate_s: 0 };
        for n in 0..5000u32 {
            let body = vec![b'x'; 100 + n as usize % 4000];
            let entry = Entry::new(CachedResponse::json(body), lifetime, 0);
            memory.insert(n.to_string().into(), Slot::Entry(Arc::new(entry)));
        }
        assert!(memory.slots.weight() <= 1024 * 1024);
        assert!(memory.slots.len() > 100);
    }
}
