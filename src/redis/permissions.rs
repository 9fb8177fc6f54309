//! What this program needs of Redis, and whether Redis grants it.
//!
//! A Redis may accept the connection and refuse single commands: by an access control list, because
//! it is full, or because it is a replica. Each need is therefore proven by itself, regularly: a
//! script that writes, and a message that arrives at its sender. `checks` calls this.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fred::prelude::*;
use fred::types::CustomCommand;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Every command of `limiter/window.lua`.
pub(super) const SCRIPT: &str = "redis.call('TIME')
                      redis.call('SET', KEYS[1], '1', 'EX', 1)
                      redis.call('MGET', KEYS[1], KEYS[1])
                      return 1";
/// A message to itself that takes longer counts as lost.
const ECHO_TIMEOUT: Duration = Duration::from_secs(1);
/// The begin of a message that only its sender handles.
pub(super) const ECHO_PREFIX: &str = "echo ";

/// The needs that Redis has refused, and its eviction policy.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    pub scripts: Permission,
    writes: Permission,
    pub channel: Permission,
    echo: Echo,
    eviction_policy: Mutex<Option<String>>,
    may_evict_windows: AtomicBool,
}

/// One need: granted until Redis refuses it.
#[derive(Debug, Default)]
pub(super) struct Permission {
    is_refused: AtomicBool,
}

/// A message to itself.
#[derive(Debug, Default)]
struct Echo {
    expected: AtomicU64,
    has_arrived: AtomicBool,
    notify: Notify,
}

impl Permission {
    pub fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    pub fn grant(&self, need: &str) {
        if self.is_refused.swap(false, Ordering::Relaxed) {
            tracing::info!("Redis grants {need} again");
        }
    }

    /// Logs the effect when a refusal begins.
    fn refuse(&self, cause: &str, effect: &str) {
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(cause, "{effect} (docs/scaling.md lists what the user needs)");
        }
    }
}

impl Permissions {
    pub fn are_restricted(&self) -> bool {
        [&self.scripts, &self.writes, &self.channel].iter().any(|need| need.is_refused())
    }

    /// Whether Redis may evict windows of keys when it is full. Windows have no time to live.
    pub fn may_evict_windows(&self) -> bool {
        self.may_evict_windows.load(Ordering::Relaxed)
    }

    pub fn eviction_policy(&self) -> Option<String> {
        self.eviction_policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A message that begins with [`ECHO_PREFIX`] arrived, with this rest.
    pub fn handle_echo(&self, number: &str) {
        // Those of other instances arrive on the same channel.
        if number.parse() == Ok(self.echo.expected.load(Ordering::Relaxed)) {
            self.echo.has_arrived.store(true, Ordering::Relaxed);
            self.echo.notify.notify_one();
        }
    }

    /// Tries whether a script may do what that of the limits does. Returns whether it may.
    pub async fn check_scripts(&self, client: &Client, key: String) -> bool {
        let script = client.eval::<i64, _, _, _>(SCRIPT, key, Vec::<i64>::new()).await;
        match &script {
            Ok(_) => {
                self.scripts.grant("scripts");
                self.writes.grant("writes");
            }
            Err(error) if is_refusal(error) => self.scripts.refuse(
                &error.to_string(),
                "the user of REDIS_URL may not run scripts, or what they call: limits are counted \
                 per instance until it has +eval, +evalsha, +time, +mget, +set and the keys of \
                 REDIS_KEY_PREFIX",
            ),
            Err(error) if refuses_writes(error) => self.writes.refuse(
                &error.to_string(),
                "Redis refuses writes: limits are counted per instance until it has memory for \
                 them, or REDIS_URL leads to the primary",
            ),
            Err(_) => {}
        }
        script.is_ok()
    }

    /// Sends a message to itself. Returns whether it arrived, or `None` if that is unknown.
    pub async fn check_channel(&self, client: &Client, channel: &str) -> Option<bool> {
        let number: u64 = rand::random();
        let text = format!("{ECHO_PREFIX}{number}");
        self.echo.has_arrived.store(false, Ordering::Relaxed);
        self.echo.expected.store(number, Ordering::Relaxed);
        if let Err(error) = client.publish::<i64, _, _>(channel, text).await {
            if is_refusal(&error) {
                self.refuse_channel(&error.to_string());
            }
            return None;
        }
        let arrives = async {
            while !self.echo.has_arrived.load(Ordering::Relaxed) {
                self.echo.notify.notified().await;
            }
        };
        Some(timeout(ECHO_TIMEOUT, arrives).await.is_ok())
    }

    pub fn refuse_channel(&self, cause: &str) {
        self.channel.refuse(
            cause,
            "the user of REDIS_URL may not use the channel of changes, or its messages do not \
             arrive: this instance polls Postgres for changes, as without Redis, until it has \
             +publish, +subscribe and the channel of REDIS_KEY_PREFIX",
        );
    }

    /// Looks at the eviction policy, if the user may. Logs a policy that evicts windows, if it is
    /// new or on a new connection.
    pub async fn check_eviction_policy(&self, client: &Client, is_new_connection: bool) {
        let Some(policy) = eviction_policy(client).await else { return };
        let may_evict_windows = policy.starts_with("allkeys");
        let did = self.may_evict_windows.swap(may_evict_windows, Ordering::Relaxed);
        if may_evict_windows && (!did || is_new_connection) {
            tracing::warn!(
                maxmemory_policy = policy,
                "Redis evicts windows of limits when it is full, and up to twice a limit can then \
                 pass: set maxmemory-policy to volatile-lru"
            );
        }
        *self.eviction_policy.lock().unwrap_or_else(PoisonError::into_inner) = Some(policy);
    }
}

/// The value of `maxmemory-policy`. `None` if the user may ask for it in neither way.
async fn eviction_policy(client: &Client) -> Option<String> {
    let command = |name| CustomCommand::new_static(name, None::<u16>, false);
    let setting: Result<Vec<String>, _> =
        client.custom(command("CONFIG"), vec!["GET", "maxmemory-policy"]).await;
    if let Ok([_, policy]) = setting.as_deref() {
        return Some(policy.clone());
    }
    let memory: String = client.custom(command("INFO"), vec!["memory"]).await.ok()?;
    memory.lines().find_map(|line| Some(line.strip_prefix("maxmemory_policy:")?.trim().to_owned()))
}

/// The second text is that of a command within a script.
pub(super) fn is_refusal(error: &Error) -> bool {
    let details = error.details();
    details.starts_with("NOPERM") || details.contains("The user executing the script can't")
}

/// Whether Redis is full, a replica, or can't persist or replicate.
fn refuses_writes(error: &Error) -> bool {
    ["OOM", "READONLY", "MISCONF", "NOREPLICAS"].iter().any(|code| error.details().contains(code))
}
