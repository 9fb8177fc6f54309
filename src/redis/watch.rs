//! Follows whether there is a connection to Redis, and logs when it is lost and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fred::prelude::*;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// How often a Redis that seems lost gets a ping.
pub(super) const PING_INTERVAL_MS: u64 = 500;
/// How often the log repeats that Redis rejects commands, which may last for hours.
const REJECTION_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Several commands in a row failed.
pub(super) struct FailureReport {
    /// The last one got no response, so Redis may hang or be gone without closing the connection.
    /// The client does not notice that while commands are sent.
    pub timed_out: bool,
    pub cause: String,
}

/// Sets `connected` from the events of the client and from `reports`, while the client exists.
///
/// Events may come in the wrong order, and a timeout need not be a loss. While `connected` is
/// false, pings find out.
pub(super) async fn watch(
    client: Client,
    connected: Arc<AtomicBool>,
    timeout: Duration,
    mut reports: mpsc::Receiver<FailureReport>,
) {
    let (mut connects, mut errors) = (client.reconnect_rx(), client.error_rx());
    let mut tick = tokio::time::interval(Duration::from_millis(PING_INTERVAL_MS));
    let mut loss_is_logged = false;
    let mut rejection_logged_at: Option<Instant> = None;
    let log_loss = |cause: &str, is_logged: &mut bool| {
        // Once per outage, which may last.
        if !std::mem::replace(is_logged, true) {
            tracing::warn!(
                cause,
                "Redis is lost (REDIS_URL): limits and cache continue in process"
            );
        }
    };
    loop {
        let is_connected = tokio::select! {
            biased;
            error = errors.recv() => error.map(|(cause, _)| {
                log_loss(&cause.to_string(), &mut loss_is_logged);
                false
            }),
            connect = connects.recv() => connect.map(|_| true),
            Some(FailureReport { timed_out, cause }) = reports.recv() => {
                if timed_out {
                    log_loss(&cause, &mut loss_is_logged);
                } else if rejection_logged_at
                    .is_none_or(|logged_at| logged_at.elapsed() >= REJECTION_LOG_INTERVAL)
                {
                    rejection_logged_at = Some(Instant::now());
                    tracing::warn!(
                        cause,
                        "Redis rejects commands (REDIS_URL): limits and cache continue in process"
                    );
                }
                Ok(!timed_out && connected.load(Ordering::Relaxed))
            }
            _ = tick.tick(), if !connected.load(Ordering::Relaxed) => {
                let ping = client.ping::<String>(None);
                Ok(matches!(tokio::time::timeout(timeout, ping).await, Ok(Ok(_))))
            }
        };
        match is_connected {
            Ok(is_connected) => {
                connected.store(is_connected, Ordering::Relaxed);
                if is_connected && std::mem::take(&mut loss_is_logged) {
                    tracing::info!("Redis answers again");
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
