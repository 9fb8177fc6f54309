//! Bounds how many tokens are verified at the same time.
//!
//! Verification of an uncached token needs a database connection and often argon2id. A flood of
//! wrong tokens must not use up either, so a token without a free slot fails at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub struct VerificationQueue {
    slots: Arc<Semaphore>,
    slots_max: usize,
    /// A quarter of the slots. Only argon2id can reject a wrong secret of a key without a hint, so
    /// floods of those must not keep out other keys.
    slots_without_hint: Arc<Semaphore>,
}

/// One token in the queue. Dropping it frees the slot.
pub struct QueueSlot {
    _slot: OwnedSemaphorePermit,
    _slot_without_hint: Option<OwnedSemaphorePermit>,
}

impl VerificationQueue {
    pub fn new(slots_max: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(slots_max)),
            slots_max,
            slots_without_hint: Arc::new(Semaphore::new(slots_max.div_ceil(4))),
        }
    }

    /// A slot, or `None` if the queue is full.
    pub fn enter(&self) -> Option<QueueSlot> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        Some(QueueSlot { _slot: slot, _slot_without_hint: None })
    }

    /// Counts `slot` toward the share of keys without a hint. `None` if that share is used up.
    pub fn enter_without_hint(&self, slot: QueueSlot) -> Option<QueueSlot> {
        let slot_without_hint = self.slots_without_hint.clone().try_acquire_owned().ok()?;
        Some(QueueSlot { _slot_without_hint: Some(slot_without_hint), ..slot })
    }

    /// The number of tokens in the queue.
    pub fn length(&self) -> usize {
        self.slots_max - self.slots.available_permits()
    }
}
