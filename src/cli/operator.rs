//! What the commands of operators have in common: where the tables are, who asks, how to answer.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{Failure, print_line};
use crate::caller::{Actor, Label};
use crate::config::{DatabaseConfig, RedisConfig};
use crate::keys::KeyService;
use crate::redis::Redis;
use crate::store::Store;

#[derive(Debug, Args)]
pub struct OperatorArgs {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    redis: RedisConfig,
    /// Who asks, as the audit is to name them; otherwise the user who runs this
    #[arg(long, global = true, help_heading = "Options")]
    actor: Option<Label>,
    /// Print the result as JSON on stdout
    #[arg(long, global = true, help_heading = "Options")]
    pub json: bool,
}

/// How long a command waits for Redis before it goes on without.
const REDIS_WAIT: Duration = Duration::from_secs(2);

impl OperatorArgs {
    /// # Errors
    /// When a URL or a certificate authority can't be read.
    pub fn registry(&self) -> Result<KeyService, Failure> {
        let (store, redis) = (Store::new(&self.database)?, Redis::start(&self.redis)?);
        let name = match &self.actor {
            Some(name) => name.clone(),
            None => user().parse()?,
        };
        Ok(KeyService::new(store, redis, REDIS_WAIT, Actor::cli(&name)))
    }

    /// Prints `value` where JSON is wanted, and otherwise what `text` says of it, on stderr.
    pub fn answer(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            return print_line(&serde_json::to_string(value)?);
        }
        eprintln!("{}", text());
        Ok(())
    }
}

/// How the instances heard of a change, as a sentence.
pub fn heard(instances_told: u32) -> String {
    match instances_told {
        0 => "No instance was told through Redis: those without one notice within 1 s, others within 30 s.".to_owned(),
        1 => "Notified the running instance.".to_owned(),
        count => format!("Notified {count} running instances."),
    }
}

/// Whoever runs this: the person behind sudo, or the user by name, or by number.
fn user() -> String {
    let mut names =
        ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let uid = || {
        std::fs::metadata("/proc/self")
            .map_or_else(|_| "unknown".to_owned(), |own| own.uid().to_string())
    };
    names.find(|name| name.parse::<Label>().is_ok()).unwrap_or_else(|| format!("uid-{}", uid()))
}
