//! What goes wrong in the rooms below, as the problem that a client sees.

use super::error::Problem;
use crate::keys::{Refusal, RegistryFault};
use crate::store::StoreFault;

impl From<StoreFault> for Problem {
    fn from(fault: StoreFault) -> Self {
        if fault.is_passing() { Self::Unavailable(fault) } else { Self::Internal(fault) }
    }
}

impl From<RegistryFault> for Problem {
    fn from(fault: RegistryFault) -> Self {
        match fault {
            RegistryFault::NoKey(_) => Self::UnknownKey(fault),
            RegistryFault::NoTier { .. } => {
                Self::InvalidParameter { name: "tier", expected: format!("is not known: {fault}") }
            }
            RegistryFault::Taken(_) => Self::KeyExists(fault),
            RegistryFault::NotActive { .. } => Self::KeyNotActive(fault),
            RegistryFault::Rotated { .. } => Self::KeyRotated(fault),
            RegistryFault::Store(fault) => fault.into(),
            RegistryFault::Hash(fault) => Self::NotHashed(fault),
        }
    }
}

impl Problem {
    /// What a refused key's caller is told. `now_ms` is epoch milliseconds.
    pub fn from_refusal(refusal: Refusal, now_ms: u64) -> Self {
        match refusal {
            Refusal::Invalid => Self::Unauthorized,
            Refusal::Busy => Self::Busy,
            Refusal::TriedInVain => Self::TriedInVain,
            Refusal::Store(fault) => fault.into(),
            Refusal::TooManyFailures { until_ms } => Self::TooManyFailures {
                retry_after_s: until_ms.saturating_sub(now_ms).div_ceil(1000).max(1),
            },
        }
    }
}
