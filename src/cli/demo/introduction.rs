//! The keys of the demo, and what it prints before it serves.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::servers::Servers;
use crate::caller::{Actor, Label, RateLimit};
use crate::cli::console::CliError;
use crate::keys::{IssueRequest, KeyService};
use crate::store::Store;

/// The owner of the demo's keys.
const OWNER: &str = "demo";
/// Each start issues new keys, since a key's secret is shown only once.
const KEYS_VALID_DAYS: i64 = 7;

/// A key and its tier's limit.
pub struct TierKey {
    tier: String,
    limit: RateLimit,
    token: SecretString,
}

/// Issues one key per tier, with the smallest limit first.
pub async fn issue_keys(store: Store) -> Result<Vec<TierKey>, CliError> {
    let expires_at = Some(Utc::now() + TimeDelta::days(KEYS_VALID_DAYS));
    let owner: Label = OWNER.parse()?;
    let name: Label = "demo key".parse()?;
    let service = KeyService::new(store, None, Duration::ZERO, Actor::cli(&owner));
    let mut keys = Vec::new();
    for tier in service.store().list_tiers().await? {
        let request = IssueRequest {
            id: None,
            owner: owner.clone(),
            name: name.clone(),
            note: None,
            tier: tier.name.parse()?,
            expires_at,
        };
        let token = service.issue(&request).await?.token;
        keys.push(TierKey { tier: tier.name, limit: tier.limit, token });
    }
    Ok(keys)
}

/// The keys and how to use them.
pub fn text(keys: &[TierKey], address: SocketAddr, servers: &Servers) -> String {
    let address = reachable(address);
    let first = keys.first().map_or("", |key| key.token.expose_secret());
    let table = keys.iter().map(|key| {
        let (tier, token) = (&key.tier, key.token.expose_secret());
        format!("  {tier:10} {:>24}   {token}\n", key.limit.to_string())
    });
    let curl = |path: &str| {
        format!("curl -s -H \"X-API-Key: $KEY\" 'http://{address}/api/stocks{path}'\n")
    };
    [
        format!("\nOpen http://{address}/ in a browser, or paste into another terminal:\n\n"),
        format!("KEY={first}\n"),
        curl(""),
        curl("/AAPL"),
        curl("/AAPL/prices?start=2012-12-01&end=2012-12-31"),
        curl("/MSFT/quote"),
        format!("\nKeys, one per tier, valid for {KEYS_VALID_DAYS} days:\n"),
        table.collect(),
        "\nOther tickerd commands use these servers after:\n".to_owned(),
        format!("  {}\n", environment(servers)),
        format!("\nCtrl-C stops everything. The data stays in {}.\n", servers.dir().display()),
    ]
    .concat()
}

/// The variables of other commands. Only this machine can reach the servers that the passwords are
/// for.
fn environment(servers: &Servers) -> String {
    let redis = servers.redis_url();
    let redis = redis.map(|url| format!(" REDIS_URL='{}'", url.expose_secret()));
    let database = servers.database_url();
    format!("export DATABASE_URL='{}'{}", database.expose_secret(), redis.unwrap_or_default())
}

/// The address that a client on this machine uses for a server that listens on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}
