//! What the user of `REDIS_URL` may not do. A Redis with an access control list accepts the
//! connection, and then refuses single commands or channels.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::prelude::*;

/// Every command of `limiter/window.lua`.
const SCRIPT: &str = "redis.call('TIME')
                      redis.call('SET', KEYS[1], '1', 'EX', 1)
                      redis.call('GET', KEYS[1])
                      return 1";
/// How often a refused command is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// The permissions that Redis has refused.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    pub scripts: Permission,
    pub channel: Permission,
}

/// One permission: granted until Redis refuses it.
#[derive(Debug, Default)]
pub(super) struct Permission {
    is_refused: AtomicBool,
}

impl Permission {
    pub fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// Records an answer of Redis, and returns whether the permission is granted. Any answer other
    /// than a grant or a refusal, such as a timeout, leaves the permission as it was. Logs the
    /// effect when a refusal begins.
    fn is_granted<T>(&self, answer: &Result<T, Error>, effect: &str) -> bool {
        match answer {
            Ok(_) => self.is_refused.store(false, Ordering::Relaxed),
            Err(error) if is_refusal(error) => {
                if !self.is_refused.swap(true, Ordering::Relaxed) {
                    let needs = "docs/scaling.md lists what the user needs";
                    tracing::warn!(cause = %error, "{effect} ({needs})");
                }
            }
            Err(_) => {}
        }
        answer.is_ok()
    }
}

impl Permissions {
    pub fn are_restricted(&self) -> bool {
        self.scripts.is_refused() || self.channel.is_refused()
    }

    /// Tries whether the channel may be used, until it may. The client reports no error for a
    /// refused subscription, so this publishes `message`, which the same rule refuses.
    pub async fn check_channel(&self, client: &Client, channel: &str, message: String) {
        if client.wait_for_connect().await.is_err() {
            return;
        }
        let effect = "the user of REDIS_URL may not use the channel of changes: this instance \
                      polls Postgres for changes, as without Redis";
        let publish = || client.publish::<i64, _, _>(channel, message.clone());
        while !self.channel.is_granted(&publish().await, effect) {
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// Tries whether a script may do what that of the limits does, until it may. `key` is any key
    /// of this deployment.
    pub async fn check_scripts(&self, client: &Client, key: String) {
        if client.wait_for_connect().await.is_err() {
            return;
        }
        let effect = "the user of REDIS_URL may not run scripts, or what they call: limits are \
                      counted per instance";
        let run = || client.eval::<i64, _, _, _>(SCRIPT, key.clone(), Vec::<i64>::new());
        while !self.scripts.is_granted(&run().await, effect) {
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }
}

/// The second text is that of a command within a script.
pub(super) fn is_refusal(error: &Error) -> bool {
    let details = error.details();
    details.starts_with("NOPERM") || details.contains("The user executing the script can't")
}
