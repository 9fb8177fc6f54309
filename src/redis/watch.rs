//! Whether there is a connection, as far as we have heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::prelude::*;
use tokio::sync::broadcast::error::RecvError;

/// How often a Redis that seems lost is asked whether it is.
pub(super) const ASK_AGAIN_MS: u64 = 500;

/// Follows whether there is a connection, for as long as there is a client. What was heard in the wrong order, or was no
/// loss after all, is put right by asking.
pub(super) async fn watch(client: Client, connected: Arc<AtomicBool>, timeout: Duration) {
    let (mut connects, mut errors) = (client.reconnect_rx(), client.error_rx());
    let mut tick = tokio::time::interval(Duration::from_millis(ASK_AGAIN_MS));
    let mut is_said_lost = false;
    loop {
        let is_connected = tokio::select! {
            biased;
            error = errors.recv() => error.map(|(cause, _)| {
                // Once an outage: it may last.
                if !is_said_lost {
                    tracing::warn!(%cause, "Redis is lost (REDIS_URL): limits and cache go on in process");
                }
                is_said_lost = true;
                false
            }),
            connect = connects.recv() => connect.map(|_| true),
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
