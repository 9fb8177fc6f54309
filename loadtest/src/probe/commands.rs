//! Counts the commands that Redis executes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::LoadtestError;
use crate::stage::Stage;

/// The number of calls by command. Redis counts a script and the commands that it calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RedisCommands(BTreeMap<String, u64>);

impl RedisCommands {
    pub fn read(stage: &Stage) -> Result<Self, LoadtestError> {
        let info: String =
            redis::cmd("INFO").arg("commandstats").query(&mut *stage.redis_connection())?;
        Ok(Self::parse(&info))
    }

    fn parse(info: &str) -> Self {
        let calls = info.lines().filter_map(|line| {
            let (command, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            // Only this program sends INFO, to read these counts.
            (command != "info").then_some(())?;
            Some((command.to_owned(), rest.split(',').next()?.parse().ok()?))
        });
        Self(calls.collect())
    }

    pub fn since(&self, before: &Self) -> Self {
        let calls = self
            .0
            .iter()
            .map(|(name, n)| (name.clone(), n - before.0.get(name).copied().unwrap_or(0)));
        Self(calls.filter(|(_, n)| *n > 0).collect())
    }

    pub fn add(&mut self, other: &Self) {
        for (name, n) in &other.0 {
            *self.0.entry(name.clone()).or_default() += n;
        }
    }

    /// The calls per request, most frequent first.
    pub fn per_request(&self, requests: u64) -> Vec<(String, f64)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|(name, n)| (name.clone(), *n as f64 / requests.max(1) as f64))
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }
}

pub fn version(stage: &Stage) -> Result<String, LoadtestError> {
    let info: String = redis::cmd("INFO").arg("server").query(&mut *stage.redis_connection())?;
    Ok(info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or("unknown")
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_between_two_readings_are_counted_without_info() {
        let before = RedisCommands::parse(
            "# Commandstats\r\ncmdstat_get:calls=5,usec=1\r\ncmdstat_info:calls=9,usec=1\r\n",
        );
        let after = RedisCommands::parse(
            "cmdstat_get:calls=8,usec=1\r\ncmdstat_set:calls=6,usec=2\r\ncmdstat_info:calls=10,u=1",
        );
        let between = after.since(&before);
        assert_eq!(between.per_request(6), [("set".to_owned(), 1.0), ("get".to_owned(), 0.5)]);
    }
}
