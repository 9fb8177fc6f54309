//! Converts the errors of the modules below into the problems that clients get.

use chrono::DateTime;

use super::error::Problem;
use crate::http::server::streams::StreamLimit;
use crate::keys::{KeyServiceError, VerifyError};
use crate::store::StoreError;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BeforeHistory { start } => Self::BeforeHistory {
                start: DateTime::from_timestamp_micros(start).unwrap_or_default(),
            },
            error if error.is_transient() => Self::Unavailable(error),
            error => Self::Internal(error),
        }
    }
}

impl From<StreamLimit> for Problem {
    fn from(limit: StreamLimit) -> Self {
        match limit {
            StreamLimit::OfKey(max) => Self::TooManyStreams { max },
            StreamLimit::OfInstance => Self::StreamsBusy,
        }
    }
}

impl From<KeyServiceError> for Problem {
    fn from(error: KeyServiceError) -> Self {
        match error {
            KeyServiceError::NoKey(_) => Self::UnknownKey(error),
            KeyServiceError::NoTier { .. } => {
                Self::InvalidParameter { name: "tier", expected: format!("is not known: {error}") }
            }
            KeyServiceError::Taken(_) | KeyServiceError::TierInUse { .. } => Self::KeyExists(error),
            KeyServiceError::NotActive { .. } => Self::KeyNotActive(error),
            KeyServiceError::Rotated { .. } => Self::KeyRotated(error),
            KeyServiceError::Store(error) => error.into(),
            KeyServiceError::Hash(error) => Self::NotHashed(error),
        }
    }
}

impl Problem {
    /// The problem for a request whose key is not verified. `now_ms` is epoch milliseconds.
    pub fn from_verify_error(error: VerifyError, now_ms: u64) -> Self {
        match error {
            VerifyError::Invalid => Self::Unauthorized,
            VerifyError::Busy => Self::Busy,
            VerifyError::RecentlyFailed => Self::RecentlyFailed,
            VerifyError::Store(error) => error.into(),
            VerifyError::TooManyFailures { until_ms } => Self::TooManyFailures {
                retry_after_s: until_ms.saturating_sub(now_ms).div_ceil(1000).max(1),
            },
        }
    }
}
