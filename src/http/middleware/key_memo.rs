//! Keys that a worker has seen, so that the next request of a key needs no lookup in memory that
//! all workers share. Such lookups count references, and each count is a write that the other
//! workers wait for.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use quick_cache::unsync::Cache;

use super::rate_limit::PolicyHeaders;
use crate::caller::Caller;
use crate::http::request::context::Client;
use crate::http::server::state::State;
use crate::keys::{KnownToken, TokenDigest};
use crate::limiter::KeyState;

/// Keys that one worker remembers: more than most operators issue.
const KEYS_MAX: usize = 1024;

/// What a worker remembers.
pub struct KeyMemo(Cache<TokenDigest, RememberedKey>);

/// A key as of its last request.
pub struct RememberedKey {
    known: KnownToken,
    pub client: Client,
    pub limiter_state: Arc<KeyState>,
    pub policy: PolicyHeaders,
}

impl Default for KeyMemo {
    fn default() -> Self {
        Self(Cache::new(KEYS_MAX))
    }
}

impl KeyMemo {
    /// The key of a token, if memory can tell that it is valid at `now`.
    pub fn recall(
        &mut self,
        state: &State,
        token: &str,
        now: DateTime<Utc>,
    ) -> Option<&RememberedKey> {
        let digest = state.verifier.digest(token);
        let is_current =
            |key: &RememberedKey| state.verifier.knows(&key.known, &key.client.caller, now);
        if !self.0.get(&digest).is_some_and(is_current) {
            let (known, caller) = state.verifier.known_token(&digest, now)?;
            self.0.insert(digest, RememberedKey::new(state, known, caller));
        }
        self.0.get(&digest)
    }
}

impl RememberedKey {
    fn new(state: &State, known: KnownToken, caller: Arc<Caller>) -> Self {
        Self {
            known,
            limiter_state: state.limiter.key_state(caller.limit_id),
            policy: PolicyHeaders::of_tier(&caller.tier),
            client: Client { usage: state.usage.of(caller.id), caller },
        }
    }
}
