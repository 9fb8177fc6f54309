//! `tickerd demo`: local servers, tables, sample data, keys and a running API, from nothing.

mod introduction;
mod sample;
mod servers;
mod steps;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Runtime;

use super::console::{CliError, print_line};
use super::serve;
use crate::config::{
    AdminConfig, AnonymousConfig, CacheConfig, DatabaseConfig, HttpConfig, KeysConfig, LogConfig,
    RedisConfig, RedisUrl, ReplicaConfig, ServeConfig, UsageConfig, parse_without,
};
use crate::http::Listeners;
use crate::store::{Database, SERVER_ROLE, Store};
use servers::Servers;
use steps::Steps;

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Directory of the demo's own Postgres and Redis
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

/// The settings of connections, from the environment or with their defaults.
#[derive(Parser)]
struct Connections {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    replica: ReplicaConfig,
    #[command(flatten)]
    redis: RedisConfig,
}

/// Longer than any task of the server takes to notice the end of its runtime.
const TASKS_END_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the demo until SIGINT or SIGTERM.
///
/// # Errors
/// When a port is taken, a server does not start, or the sample cannot be loaded.
pub fn run(args: DemoArgs, log: &LogConfig, runtime: Runtime) -> Result<(), CliError> {
    // A taken port fails here, before it costs a database.
    let listeners = {
        let _context = runtime.enter();
        Listeners::take(&args.http, &args.admin)?
    };
    let steps = Steps::new();
    let servers = Servers::start(&args.dir, &steps)?;
    let served = runtime.block_on(prepare_and_serve(args, log, listeners, &servers, &steps));
    // The server's tasks end before Postgres and Redis do: they would report both as failures.
    runtime.shutdown_timeout(TASKS_END_TIMEOUT);
    drop(servers);
    served
}

async fn prepare_and_serve(
    args: DemoArgs,
    log: &LogConfig,
    listeners: Listeners,
    servers: &Servers,
    steps: &Steps,
) -> Result<(), CliError> {
    let connections = connections(servers)?;
    let database = Database::new(&connections.database)?;
    steps.begin("Creating or updating the tables");
    database.migrate().await?;
    let store = Store::new(&connections.database)?;
    sample::load(&database, &store, steps).await?;
    steps.begin("Issuing one API key per tier");
    let keys = introduction::issue_keys(store).await?;
    steps.end();
    let address = listeners.public.local_addr()?;
    print_line(&introduction::text(&keys, address, servers))?;
    let mut served_database = connections.database;
    let url = server_role_url(&database, servers).await?;
    served_database.database_url = url.expose_secret().parse()?;
    let config = ServeConfig {
        database: served_database,
        replica: connections.replica,
        redis: connections.redis,
        http: args.http,
        admin: args.admin,
        keys: args.keys,
        anonymous: args.anonymous,
        cache: args.cache,
        usage: args.usage,
    };
    let dir = servers.dir().to_owned();
    let announce_stop = move |_| {
        eprintln!("Stopping the API and its servers; the data stays in {}", dir.display());
    };
    serve::start(listeners, config, log)?.run(announce_stop).await?;
    Ok(())
}

/// Creates the role that the server uses, and returns its URL. It has a new password each time.
async fn server_role_url(database: &Database, servers: &Servers) -> Result<SecretString, CliError> {
    let password = SecretString::from(Alphanumeric.sample_string(&mut rand::rng(), 24));
    database.create_server_role(password.expose_secret()).await?;
    servers.database_url_of(SERVER_ROLE, &password)
}

/// The demo connects to its own servers alone, whatever servers the environment names.
fn connections(servers: &Servers) -> Result<Connections, CliError> {
    const OTHER_SERVERS: [&str; 9] = [
        "DATABASE_URL",
        "DATABASE_DIRECT_URL",
        "DATABASE_READ_URL",
        "DATABASE_POOLER",
        "DATABASE_CA_FILE",
        "REDIS_URL",
        "REDIS_CA_FILE",
        "UPSTASH_REDIS_REST_URL",
        "UPSTASH_REDIS_REST_TOKEN",
    ];
    let arguments = ["tickerd", "--database-url", "postgres://localhost"];
    let mut connections: Connections = parse_without(&arguments, &OTHER_SERVERS)?;
    connections.database.database_url = servers.database_url().expose_secret().parse()?;
    connections.redis.redis_url = servers.redis_url().map(RedisUrl::Server);
    Ok(connections)
}
