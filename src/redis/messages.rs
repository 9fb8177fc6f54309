//! Word of changes between instances, on one channel.

use std::fmt;
use std::time::Duration;

use fred::prelude::*;
use fred::types::config::Options;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::{RECONNECT_DELAY_MS, Redis, RedisError};
use crate::caller::KeyId;

/// Words that may wait for a busy instance.
const WORDS_WAITING_MAX: usize = 1024;

/// What instances tell each other on the one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A key changed: believe nothing of what is remembered of its row.
    Key(KeyId),
    /// Data changed, or words may have been lost: look for what did.
    Look,
}

impl Message {
    fn parse(text: &str) -> Self {
        text.strip_prefix("key ").and_then(|id| id.parse().ok()).map_or(Self::Look, Self::Key)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {id}"),
            Self::Look => f.write_str("look"),
        }
    }
}

impl Redis {
    /// Tells every instance that listens, and returns how many do.
    pub async fn publish(&self, word: Message) -> Result<u32, RedisError> {
        let told = self
            .bounded("publish", self.shared.client.publish(self.channel(), word.to_string()))
            .await?;
        // A node of a cluster hands it on to the others, and knows only of its own listeners.
        if self.shared.client.is_clustered() { self.listeners().await } else { Ok(told) }
    }

    /// How many instances listen for words now, this one included.
    pub async fn listeners(&self) -> Result<u32, RedisError> {
        let (client, mut listeners) = (&self.shared.client, 0);
        // An instance listens at one node of a cluster, and each node counts its own.
        let nodes = match client.is_clustered() {
            true => client.active_connections().into_iter().map(Some).collect(),
            false => vec![None],
        };
        for cluster_node in nodes {
            let at_node = client.with_options(&Options { cluster_node, ..Options::default() });
            let (_, count): (String, u32) =
                self.bounded("pubsub", at_node.pubsub_numsub(self.channel())).await?;
            listeners += count;
        }
        Ok(listeners)
    }

    /// Listens for words until the receiver is dropped, on a connection of its own that comes back
    /// by itself.
    ///
    /// # Errors
    /// When the second client can't be built.
    pub fn listen(&self) -> Result<mpsc::Receiver<Message>, RedisError> {
        let subscriber = self.shared.builder.build_subscriber_client()?;
        let (words, listener) = mpsc::channel(WORDS_WAITING_MAX);
        let channel = self.channel();
        tokio::spawn(async move {
            let (mut messages, mut reconnects) =
                (subscriber.message_rx(), subscriber.reconnect_rx());
            subscriber.connect();
            subscriber.manage_subscriptions();
            // Once it has succeeded, the client subscribes again by itself after each reconnect.
            while subscriber.wait_for_connect().await.is_err()
                || subscriber.subscribe(channel.clone()).await.is_err()
            {
                tokio::time::sleep(Duration::from_millis(RECONNECT_DELAY_MS.into())).await;
            }
            if words.send(Message::Look).await.is_err() {
                return;
            }
            loop {
                let word = tokio::select! {
                    message = messages.recv() => message.map(|message| Message::parse(&message.value.as_string().unwrap_or_default())),
                    // Whatever was said meanwhile was lost.
                    reconnect = reconnects.recv() => reconnect.map(|_| Message::Look),
                };
                let word = match word {
                    Ok(word) => word,
                    // Too many at once: some were lost.
                    Err(RecvError::Lagged(_)) => Message::Look,
                    Err(RecvError::Closed) => return,
                };
                if words.send(word).await.is_err() {
                    return;
                }
            }
        });
        Ok(listener)
    }

    fn channel(&self) -> String {
        self.name("changes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_said_on_the_channel_is_a_reason_to_look(text in ".{0,30}|key .{0,14}|key [0-9A-Za-z]{12}") {
            match Message::parse(&text) {
                Message::Key(id) => prop_assert_eq!(format!("key {id}"), text),
                Message::Look => {
                    let id = text.strip_prefix("key ").map(str::parse::<KeyId>);
                    prop_assert!(!matches!(id, Some(Ok(_))));
                }
            }
        }
    }
}
