//! Proves regularly that Redis grants what an instance needs.

use std::sync::Arc;
use std::time::Duration;

use fred::prelude::*;
use tokio::time::{Instant, sleep};

use super::breaker::CommandOutcome;
use super::client::{Redis, Shared};

/// Between two checks, while everything is granted.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// Between two checks, while something is refused.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at the eviction policy on one connection.
const POLICY_INTERVAL: Duration = Duration::from_secs(60);
/// Messages to itself in a row that are lost if this instance does not receive messages. The
/// connection that receives them may be a moment behind the other one.
const ECHOES_LOST: u32 = 3;

impl Redis {
    /// Proves in the background, regularly, that Redis grants what an instance needs, unless the
    /// instance `is_idle`. Commands that end soon need no proof.
    pub fn check_regularly(&self, is_idle: impl Fn() -> bool + Send + Sync + 'static) {
        let (key, channel) = (self.name("probe"), self.channel());
        tokio::spawn(check_regularly(self.shared.clone(), key, channel, is_idle));
    }
}

/// Proves each need at every connection and then regularly, until the process ends. `key` is any
/// key of this deployment.
async fn check_regularly(
    shared: Arc<Shared>,
    key: String,
    channel: String,
    is_idle: impl Fn() -> bool + Send + Sync,
) {
    let (client, permissions) = (&shared.client, &shared.permissions);
    let mut connects = client.reconnect_rx();
    let mut policy_checked_at: Option<Instant> = None;
    let mut echoes_lost = 0;
    loop {
        if client.wait_for_connect().await.is_err() {
            return;
        }
        if policy_checked_at.is_none_or(|at| at.elapsed() >= POLICY_INTERVAL) {
            let is_new_connection = policy_checked_at.is_none();
            permissions.check_eviction_policy(client, is_new_connection).await;
            policy_checked_at = Some(Instant::now());
        }
        if permissions.check_scripts(client, key.clone()).await {
            shared.script_breaker.record(CommandOutcome::Answered);
        }
        match permissions.check_channel(client, &channel).await {
            Some(true) => {
                echoes_lost = 0;
                permissions.channel.grant("the channel of changes");
            }
            Some(false) => {
                echoes_lost += 1;
                if echoes_lost >= ECHOES_LOST {
                    permissions.refuse_channel("a message of this instance did not come back");
                }
            }
            None => {}
        }
        let is_granted = !permissions.are_restricted() && echoes_lost == 0;
        let pause = async {
            sleep(if is_granted { CHECK_INTERVAL } else { RETRY_INTERVAL }).await;
            while is_idle() {
                sleep(RETRY_INTERVAL).await;
            }
        };
        tokio::select! {
            () = pause => {}
            // Not at once: a command that is refused each time must not cause a busy loop.
            () = shared.failed.notified() => sleep(RETRY_INTERVAL).await,
            // Another server may have taken the place of the last one.
            _ = connects.recv() => policy_checked_at = None,
        }
    }
}
