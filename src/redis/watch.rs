//! Whether there is a connection, as far as we have heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fred::prelude::*;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// How often a Redis that seems lost is asked whether it is.
pub(super) const ASK_AGAIN_MS: u64 = 500;
/// How often it is said that Redis refuses what it is asked. It may do so for hours.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// That several commands in a row had no answer, or only refusals.
pub(super) struct FailureReport {
    /// There was none: the other end may hang, or be gone without a word. The client does not see
    /// that for as long as commands are sent.
    pub timed_out: bool,
    pub cause: String,
}

/// Follows whether there is a connection, for as long as there is a client. What was heard in the
/// wrong order, or was no loss after all, is put right by asking.
pub(super) async fn watch(
    client: Client,
    connected: Arc<AtomicBool>,
    timeout: Duration,
    mut reports: mpsc::Receiver<FailureReport>,
) {
    let (mut connects, mut errors) = (client.reconnect_rx(), client.error_rx());
    let mut tick = tokio::time::interval(Duration::from_millis(ASK_AGAIN_MS));
    let (mut is_said_lost, mut refusal_said): (bool, Option<Instant>) = (false, None);
    let say_lost = |cause: &str, is_said: &mut bool| {
        // Once an outage: it may last.
        if !std::mem::replace(is_said, true) {
            tracing::warn!(cause, "Redis is lost (REDIS_URL): limits and cache go on in process");
        }
    };
    loop {
        let is_connected = tokio::select! {
            biased;
            error = errors.recv() => error.map(|(cause, _)| {
                say_lost(&cause.to_string(), &mut is_said_lost);
                false
            }),
            connect = connects.recv() => connect.map(|_| true),
            Some(FailureReport { timed_out, cause }) = reports.recv() => {
                if timed_out {
                    say_lost(&cause, &mut is_said_lost);
                } else if refusal_said.is_none_or(|said| said.elapsed() >= SAID_AGAIN_AFTER) {
                    refusal_said = Some(Instant::now());
                    tracing::warn!(cause, "Redis refuses what it is asked (REDIS_URL): limits and cache go on in process");
                }
                Ok(!timed_out && connected.load(Ordering::Relaxed))
            }
            _ = tick.tick(), if !connected.load(Ordering::Relaxed) => {
                Ok(matches!(tokio::time::timeout(timeout, client.ping::<String>(None)).await, Ok(Ok(_))))
            }
        };
        match is_connected {
            Ok(is_connected) => {
                connected.store(is_connected, Ordering::Relaxed);
                if is_connected && std::mem::take(&mut is_said_lost) {
                    tracing::info!("Redis answers again");
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
