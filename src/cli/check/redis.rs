//! The check of Redis.

use std::time::Duration;

use super::clock;
use super::finding::Finding;
use super::finding::Level::{Ok as Fine, Warning, Wrong};
use crate::config::RedisConfig;
use crate::redis::{Inspection, Redis, RedisError};

const PART: &str = "redis";

pub async fn check(config: &RedisConfig) -> Vec<Finding> {
    match Redis::inspect(config).await {
        Ok(None) => {
            let message = "no REDIS_URL: limits and cache are in process, which suits one instance";
            vec![Finding::new(PART, Fine, message)]
        }
        Ok(Some(inspection)) => findings(&inspection, config),
        Err(error @ RedisError::Unreachable(_)) => {
            let hint = "start it, or check host and port; rediss:// is for TLS";
            vec![Finding::new(PART, Wrong, format!("{error}: {hint}"))]
        }
        Err(error) => vec![Finding::new(PART, Wrong, error.to_string())],
    }
}

fn findings(inspection: &Inspection, config: &RedisConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |level, message: String| findings.push(Finding::new(PART, level, message));
    let version = inspection.version.as_deref().unwrap_or("unknown");
    let milliseconds = inspection.round_trip.as_secs_f64() * 1000.0;
    let timeout_ms = config.redis_command_timeout_ms;
    let answers = format!("version {version} answers in {milliseconds:.1} ms");
    if inspection.round_trip > Duration::from_millis(timeout_ms) / 2 {
        let hint = "raise REDIS_COMMAND_TIMEOUT_MS, or use a Redis nearby";
        add(Warning, format!("{answers}, near the time-out of {timeout_ms} ms: {hint}"));
    } else {
        add(Fine, answers);
    }
    let policy = inspection.eviction_policy.as_deref();
    match (policy, inspection.memory_bytes_max) {
        (None, _) => add(Fine, "the eviction policy can't be read by this user".to_owned()),
        (Some(policy), _) if policy.starts_with("allkeys-") => {
            let hint = "set maxmemory-policy volatile-lru";
            add(Warning, format!("{policy} may evict the windows of limits: {hint}"));
        }
        (Some("noeviction"), Some(bytes)) if bytes > 0 => {
            let hint = "set maxmemory-policy volatile-lru";
            add(Warning, format!("noeviction: a full Redis rejects all writes: {hint}"));
        }
        (Some(policy), _) => add(Fine, format!("the eviction policy is {policy}")),
    }
    let user = "docs/scaling.md lists what the user needs";
    match &inspection.script_refused {
        None => add(Fine, "the script of the limits runs".to_owned()),
        Some(cause) => add(Wrong, format!("limits can't be shared: {cause}: {user}")),
    }
    if let Some(cause) = &inspection.channel_refused {
        add(Warning, format!("changes can't be published: {cause}: {user}"));
    }
    findings.push(clock::compare("Redis", inspection.clocks));
    findings
}
