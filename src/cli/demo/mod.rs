//! `tickerd demo`: everything on one machine, from nothing: servers, tables, real data, keys, a
//! running API.

pub mod private;
mod sample;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use clap::{Args, Parser};
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret, SecretString};

use super::{Failure, print_line, serve};
use crate::caller::{Actor, Label};
use crate::config::{
    AdminConfig, AnonymousConfig, CacheConfig, DatabaseConfig, HttpConfig, KeysConfig, LogConfig,
    Pooler, RedisConfig, ReplicaConfig, ServeConfig, UsageConfig,
};
use crate::http::Listeners;
use crate::keys::{IssueRequest, KeyService};
use crate::store::{Database, Store};
use private::{Durability, PrivateError, PrivatePostgres, PrivateRedis, choose_dir};

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the private Postgres and Redis keep their data
    #[arg(long, default_value = "./.tickerd")]
    dir: PathBuf,
    #[command(flatten)]
    http: HttpConfig,
    #[command(flatten)]
    admin: AdminConfig,
    #[command(flatten)]
    keys: KeysConfig,
    #[command(flatten)]
    anonymous: AnonymousConfig,
    #[command(flatten)]
    cache: CacheConfig,
    #[command(flatten)]
    usage: UsageConfig,
}

/// The knobs of connections, at their defaults or as the environment says.
#[derive(Parser)]
struct Connections {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    replica: ReplicaConfig,
    #[command(flatten)]
    redis: RedisConfig,
}

/// The owner of the demo's keys.
const OWNER: &str = "demo";
/// How long a demo's keys are valid: each start issues new ones, since secrets are shown only once.
const KEYS_VALID_DAYS: i64 = 7;
/// Between two pictures of the spinner.
const SPIN_MS: u64 = 100;

/// What the demo started, and stops in this order when it ends.
struct Servers {
    _redis: Option<PrivateRedis>,
    _postgres: PrivatePostgres,
}

pub async fn run(args: DemoArgs, log: &LogConfig) -> Result<(), Failure> {
    // First what fails fastest: a taken port must not cost a database.
    let listeners = Listeners::take(&args.http, &args.admin)?;
    let steps = Steps::new();
    let wanted = args.dir.clone();
    let (servers, database_url, redis_url) = {
        let steps = steps.clone();
        tokio::task::spawn_blocking(move || start_servers(&wanted, &steps)).await??
    };
    let environment = environment(&database_url, redis_url.as_ref());
    let mut connections =
        Connections::try_parse_from(["tickerd", "--database-url", "postgres://localhost"])?;
    connections.database.database_url = database_url;
    // What the environment says of an operator's own Postgres is not for the demo.
    connections.database.database_direct_url = None;
    connections.database.database_pooler = Pooler::None;
    connections.replica.database_read_url = None;
    connections.redis.redis_url = redis_url;
    let database = Database::new(&connections.database)?;
    steps.begin("Migrating the tables");
    database.migrate().await?;
    let store = Store::new(&connections.database)?;
    sample::load(&database, &store, &steps).await?;
    steps.begin("Issuing one key a tier");
    let tokens = issue_keys(store).await?;
    steps.end();
    print_line(&introduction(&tokens, reachable(listeners.callers.local_addr()?), &environment))?;
    let config = ServeConfig {
        database: connections.database,
        replica: connections.replica,
        redis: connections.redis,
        http: args.http,
        admin: args.admin,
        keys: args.keys,
        anonymous: args.anonymous,
        cache: args.cache,
        usage: args.usage,
    };
    serve::serve(listeners, config, log).await?;
    tokio::task::spawn_blocking(move || drop(servers)).await?;
    Ok(())
}

/// Starts Postgres, and Redis where there is one.
fn start_servers(
    wanted: &std::path::Path,
    steps: &Steps,
) -> Result<(Servers, SecretString, Option<SecretString>), Failure> {
    let dir = choose_dir(wanted)?;
    steps.begin(&format!("Starting a private Postgres in {}", dir.display()));
    let postgres = PrivatePostgres::start(&dir, Durability::Durable)?;
    steps.begin("Starting a private Redis");
    let redis = match PrivateRedis::start(&dir) {
        Ok(redis) => Some(redis),
        Err(error @ PrivateError::MissingBinary { .. }) => {
            steps
                .say(&format!("Going on without Redis, with limits and cache in process: {error}"));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let (database_url, redis_url) =
        (postgres.url().into(), redis.as_ref().map(|redis| redis.url().into()));
    Ok((Servers { _redis: redis, _postgres: postgres }, database_url, redis_url))
}

/// One key a tier: (tier, requests a minute, token).
async fn issue_keys(store: Store) -> Result<Vec<(String, i32, SecretString)>, Failure> {
    let expires_at = Some(Utc::now() + TimeDelta::days(KEYS_VALID_DAYS));
    let (owner, name): (Label, Label) = (OWNER.parse()?, "demo key".parse()?);
    let registry = KeyService::new(store, None, Duration::ZERO, Actor::cli(&owner));
    let mut tokens = Vec::new();
    for tier in registry.store().list_tiers().await? {
        let (owner, name, tier_name) = (owner.clone(), name.clone(), tier.name.parse()?);
        let issued = registry
            .issue(&IssueRequest { id: None, owner, name, note: None, tier: tier_name, expires_at })
            .await?;
        tokens.push((tier.name, tier.requests_per_minute, issued.token));
    }
    Ok(tokens)
}

/// The keys, and what to do with them.
fn introduction(
    tokens: &[(String, i32, SecretString)],
    address: SocketAddr,
    environment: &str,
) -> String {
    let key = tokens.first().map_or("", |(_, _, token)| token.expose_secret());
    let lines = tokens.iter().map(|(tier, limit, token)| {
        format!("  {tier:10} {limit:>6} requests a minute   {}\n", token.expose_secret())
    });
    let base = format!("http://{address}/api/stocks");
    let curl = |path: &str| format!("  curl -s -H 'X-API-Key: {key}' '{base}{path}'\n");
    [
        format!("\nKeys, one a tier, valid for {KEYS_VALID_DAYS} days:\n"),
        lines.collect(),
        format!("\nIn a browser:\n  http://{address}/\n"),
        "\nTry:\n".to_owned(),
        curl(""),
        curl("/AAPL"),
        curl("/AAPL/prices?start=2012-12-01&end=2012-12-31"),
        curl("/MSFT/quote"),
        format!("\nFor other commands of tickerd, on these private servers:\n  {environment}\n"),
        "\nCtrl-C stops everything that was started here.\n".to_owned(),
    ]
    .concat()
}

/// What other commands need to know. The passwords are those of servers that only this machine can
/// reach.
fn environment(database_url: &SecretString, redis_url: Option<&SecretString>) -> String {
    let redis =
        redis_url.map(|url| format!(" REDIS_URL='{}'", url.expose_secret())).unwrap_or_default();
    format!("export DATABASE_URL='{}'{redis}", database_url.expose_secret())
}

/// Where a client on this machine reaches a server that listens there.
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

/// Says what is going on: a spinner on a terminal, a line a step elsewhere.
#[derive(Clone)]
struct Steps {
    spinner: ProgressBar,
}

impl Steps {
    fn new() -> Self {
        let spinner = ProgressBar::new_spinner();
        spinner.set_style(ProgressStyle::default_spinner());
        spinner.enable_steady_tick(Duration::from_millis(SPIN_MS));
        Self { spinner }
    }

    fn begin(&self, step: &str) {
        if self.spinner.is_hidden() {
            eprintln!("{step} ...");
        }
        self.spinner.set_message(format!("{step} ..."));
    }

    fn say(&self, line: &str) {
        if self.spinner.is_hidden() {
            eprintln!("{line}");
        }
        self.spinner.println(line);
    }

    fn end(&self) {
        self.spinner.finish_and_clear();
    }
}
