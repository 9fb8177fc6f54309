//! Parts of the sentences of problems.

use crate::caller::RateLimit;

/// The exchange that has no prices, and the reason.
pub fn no_day(exchange: Option<&str>, why: Option<&str>) -> String {
    let (at, closed) = match exchange {
        Some(exchange) => (format!(" at the exchange {exchange:?}"), "it was closed"),
        None => (String::new(), "US exchanges were closed"),
    };
    let why = why.map(|why| format!(": {closed} ({why})")).unwrap_or_default();
    at + &why
}

/// The limit that is reached.
pub fn rate_limited(limit: RateLimit, cost: u32) -> String {
    match cost {
        1 => format!("the limit of {limit} is reached"),
        _ => format!("the limit of {limit} does not leave enough for a cost of {cost}"),
    }
}

/// Where a client gets a higher limit.
pub fn higher_limit(upgrade: Option<&str>) -> String {
    upgrade.map(|url| format!("; a higher limit: {url}")).unwrap_or_default()
}

/// The path that was meant, or else where paths are described.
pub fn meant_or_see(meant: Option<&str>, see: &str) -> String {
    match meant {
        Some(path) => format!("expected {path}, without the superfluous slashes"),
        None => format!("see {see}"),
    }
}
