//! Messages about changes, which instances and the command line publish on one channel.
//!
//! A message makes the instances look for changes at once. A lost message only costs time: the
//! instances also poll Postgres.

use std::fmt;
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use fred::types::config::Options;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::client::{RECONNECT_DELAY_MS, Redis, RedisError};
use super::permissions::ECHO_PREFIX;
use crate::caller::KeyId;

/// Messages that may wait for a busy instance.
const MESSAGES_WAITING_MAX: usize = 1024;

/// The text of [`Message::InstanceJoined`].
const JOINED: &str = "joined";

/// A message on the channel. Its text form is the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A key changed: invalidate its cached row.
    Key(KeyId),
    /// An instance has subscribed: count the instances.
    InstanceJoined,
    /// Data, keys or tiers changed, or messages may have been lost: read the changes.
    DataChanged,
}

impl Message {
    fn parse(text: &str) -> Self {
        if text == JOINED {
            return Self::InstanceJoined;
        }
        let key = text.strip_prefix("key ").and_then(|id| id.parse().ok());
        key.map_or(Self::DataChanged, Self::Key)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {id}"),
            Self::InstanceJoined => f.write_str(JOINED),
            Self::DataChanged => f.write_str("look"),
        }
    }
}

impl Redis {
    /// Sends a message to all instances. Returns how many receive it.
    pub async fn publish(&self, message: Message) -> Result<u32, RedisError> {
        let receivers = self
            .call("publish", self.shared.client.publish(self.channel(), message.to_string()))
            .await?;
        // A node of a cluster forwards the message, and counts only its own receivers.
        if self.shared.client.is_clustered() { self.listeners().await } else { Ok(receivers) }
    }

    /// The number of instances that receive messages, with this one.
    pub async fn listeners(&self) -> Result<u32, RedisError> {
        let (client, mut listeners) = (&self.shared.client, 0);
        // An instance listens at one node of a cluster, and each node counts its own listeners.
        let nodes = match client.is_clustered() {
            true => client.active_connections().into_iter().map(Some).collect(),
            false => vec![None],
        };
        for cluster_node in nodes {
            let at_node = client.with_options(&Options { cluster_node, ..Options::default() });
            let (_, count): (String, u32) =
                self.call("pubsub", at_node.pubsub_numsub(self.channel())).await?;
            listeners += count;
        }
        Ok(listeners)
    }

    /// Receives messages until the receiver is dropped. They come on a connection of their own,
    /// which reconnects by itself.
    ///
    /// # Errors
    /// When the second client can't be built.
    pub fn subscribe(&self) -> Result<mpsc::Receiver<Message>, RedisError> {
        let subscriber = self.shared.builder.build_subscriber_client()?;
        let (sender, receiver) = mpsc::channel(MESSAGES_WAITING_MAX);
        tokio::spawn(forward(subscriber, self.clone(), sender));
        Ok(receiver)
    }

    pub(super) fn channel(&self) -> String {
        self.name("changes")
    }
}

/// Subscribes to the channel and sends its messages to `sender`.
async fn forward(subscriber: SubscriberClient, redis: Redis, sender: mpsc::Sender<Message>) {
    let channel = redis.channel();
    let (mut messages, mut reconnects) = (subscriber.message_rx(), subscriber.reconnect_rx());
    subscriber.connect();
    subscriber.manage_subscriptions();
    // After the first success, the client subscribes again by itself at each reconnect.
    while subscriber.wait_for_connect().await.is_err()
        || subscriber.subscribe(channel.clone()).await.is_err()
    {
        tokio::time::sleep(Duration::from_millis(RECONNECT_DELAY_MS.into())).await;
    }
    if sender.send(Message::DataChanged).await.is_err() {
        return;
    }
    // If it is lost, the others count this instance at their next count.
    drop(redis.publish(Message::InstanceJoined).await);
    loop {
        let message = tokio::select! {
            message = messages.recv() => {
                let text = message.map(|message| message.value.as_string().unwrap_or_default());
                if let Ok(text) = &text
                    && let Some(number) = text.strip_prefix(ECHO_PREFIX)
                {
                    redis.shared.permissions.handle_echo(number);
                    continue;
                }
                text.map(|text| Message::parse(&text))
            }
            // Messages that were published without a connection are lost.
            reconnect = reconnects.recv() => {
                // It may be another server, or one that has lost its data.
                drop(redis.publish(Message::InstanceJoined).await);
                reconnect.map(|_| Message::DataChanged)
            }
        };
        let message = match message {
            Ok(message) => message,
            // Too many came at once, and some are lost.
            Err(RecvError::Lagged(_)) => Message::DataChanged,
            Err(RecvError::Closed) => return,
        };
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_but_that_of_a_key_means_that_data_changed(
            text in ".{0,30}|key .{0,14}|key [0-9A-Za-z]{12}"
        ) {
            match Message::parse(&text) {
                Message::Key(id) => prop_assert_eq!(format!("key {id}"), text),
                Message::InstanceJoined => prop_assert_eq!(text, JOINED),
                Message::DataChanged => {
                    let id = text.strip_prefix("key ").map(str::parse::<KeyId>);
                    prop_assert!(!matches!(id, Some(Ok(_))));
                }
            }
        }
    }
}
