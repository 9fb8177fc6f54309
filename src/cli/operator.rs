//! What the commands of operators share: the key service, the operator's name for the audit, and
//! notifications of instances.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::console::{CliError, print_line};
use crate::caller::{Actor, Label};
use crate::config::{DatabaseConfig, RedisConfig};
use crate::keys::KeyService;
use crate::redis::{Message, Redis};
use crate::store::{Database, Store};

/// How long a command waits for a connection to Redis, to notify instances of its change.
const REDIS_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct OperatorArgs {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    redis: RedisConfig,
    /// The operator's name for the audit; by default the user who runs the command
    #[arg(long, global = true, help_heading = "Options")]
    actor: Option<Label>,
    /// Print the result as JSON on stdout
    #[arg(long, global = true, help_heading = "Options")]
    pub json: bool,
}

impl OperatorArgs {
    /// # Errors
    /// If a URL or a certificate authority can't be read.
    pub fn key_service(&self) -> Result<KeyService, CliError> {
        Ok(KeyService::new(self.store()?, self.redis()?, REDIS_WAIT, self.actor()?))
    }

    /// # Errors
    /// If the URL or a certificate authority can't be read.
    pub fn store(&self) -> Result<Store, CliError> {
        Ok(Store::new(&self.database)?)
    }

    /// # Errors
    /// If the URL or a certificate authority can't be read.
    pub fn database(&self) -> Result<Database, CliError> {
        Ok(Database::new(&self.database)?)
    }

    /// # Errors
    /// If the URL or a certificate authority can't be read.
    pub fn redis(&self) -> Result<Option<Redis>, CliError> {
        Ok(Redis::start(&self.redis)?)
    }

    /// # Errors
    /// If the name of the user is no label.
    pub fn actor(&self) -> Result<Actor, CliError> {
        let name = match &self.actor {
            Some(name) => name.clone(),
            None => user_name().parse()?,
        };
        Ok(Actor::cli(&name))
    }

    /// Prints `value` as JSON on stdout with `--json`, else `text` on stderr.
    pub fn report(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        if self.json {
            return print_line(&serde_json::to_string(value)?);
        }
        eprintln!("{}", text());
        Ok(())
    }
}

/// Says how many instances were notified of a change, as a sentence.
pub fn notified_text(instances: u32) -> String {
    match instances {
        0 => "No instance was notified through Redis. Instances without Redis notice the change \
              within 1 s, others within 30 s."
            .to_owned(),
        1 => "Notified the running instance.".to_owned(),
        count => format!("Notified {count} running instances."),
    }
}

/// Notifies all instances of new data. Without Redis they find it when they poll.
pub async fn notify_of_data(redis: Option<Redis>) {
    let Some(redis) = redis else { return };
    if !(redis.wait_until_connected(REDIS_WAIT).await
        && redis.publish(Message::DataChanged).await.is_ok())
    {
        eprintln!("Redis did not take the message: instances notice the new data within 30 s.");
    }
}

/// The user who runs the command: the one who called sudo, else by name, else by number.
fn user_name() -> String {
    let mut names =
        ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let from_system = || {
        let uid = rustix::process::getuid().as_raw();
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        name_of(uid, &users).unwrap_or_else(|| format!("uid-{uid}"))
    };
    names.find(|name| name.parse::<Label>().is_ok()).unwrap_or_else(from_system)
}

/// The name of a user in the text of /etc/passwd, if it is a label.
fn name_of(uid: u32, users: &str) -> Option<String> {
    let users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let names = users.filter(|user| user.get(2).is_some_and(|id| *id == uid.to_string()));
    names.map(|user| user[0].to_owned()).find(|name| name.parse::<Label>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_user_is_read_from_the_list_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\n:x:7:\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("ann"));
        assert_eq!(name_of(0, users).as_deref(), Some("root"));
        assert_eq!((name_of(7, users), name_of(100, users)), (None, None));
    }
}
