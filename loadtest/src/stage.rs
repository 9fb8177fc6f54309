//! A local Postgres and a local Redis, and the queries on them beside the load.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use testkit::servers::{Durability, LocalPostgres, LocalRedis, choose_dir};
use tokio::process::Command;
use tokio_postgres::NoTls;

use crate::Failure;
use crate::options::Options;

const ASK_TIMEOUT_MS: u64 = 5000;
/// Counts over all stocks, on a Postgres that has just started.
const STATEMENT_TIMEOUT_MS: u64 = 60_000;
const MIGRATE_TIMEOUT_S: u64 = 60;

/// Everything here ends with this process, however that ends.
pub struct Stage {
    pub options: Options,
    pub postgres: LocalPostgres,
    pub redis: LocalRedis,
    pub database: tokio_postgres::Client,
    link: Mutex<redis::Connection>,
}

/// The limits that keys have.
#[derive(Debug, Clone, Copy)]
pub enum Tiers {
    /// As they come: 100, 1,000 and 10,000 a minute.
    Default,
    /// So high that limits are counted but not reached.
    Raised,
}

impl Stage {
    pub async fn start(options: &Options) -> Result<Self, Failure> {
        let wanted = options.dir.clone();
        let servers = tokio::task::spawn_blocking(move || -> Result<_, Failure> {
            let dir = choose_dir(&wanted)?;
            Ok((LocalPostgres::start(&dir, Durability::Durable)?, LocalRedis::start(&dir)?))
        });
        let (postgres, redis) = servers.await??;
        let mut config: tokio_postgres::Config = postgres.url().parse()?;
        config.connect_timeout(Duration::from_millis(ASK_TIMEOUT_MS));
        config.options(format!("-c statement_timeout={STATEMENT_TIMEOUT_MS}"));
        let (database, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        let link = connect_redis(&redis.url())?;
        let stage =
            Self { options: options.clone(), postgres, redis, database, link: Mutex::new(link) };
        stage.tickerd_to_end(&["migrate"], Duration::from_secs(MIGRATE_TIMEOUT_S)).await?;
        Ok(stage)
    }

    /// A connection that is asked a few times between turns of load.
    pub fn redis(&self) -> MutexGuard<'_, redis::Connection> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Windows and answers of the case before must not show in the next.
    pub fn empty_redis(&self) -> Result<(), Failure> {
        Ok(redis::cmd("FLUSHDB").query(&mut *self.redis())?)
    }

    /// Servers read them when they first see a key: set them before they start.
    pub async fn set_tiers(&self, tiers: Tiers) -> Result<(), Failure> {
        let raised = matches!(tiers, Tiers::Raised);
        let sql = "UPDATE tiers SET requests_per_minute = CASE WHEN $1 THEN 10000000
                   ELSE CASE name WHEN 'free' THEN 100 WHEN 'pro' THEN 1000 ELSE 10000 END END";
        self.database.execute(sql, &[&raised]).await?;
        Ok(())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.options.dir.join(name)
    }

    /// `tickerd ARGS` on the local servers, with default settings: nothing of our environment may
    /// change them.
    pub fn tickerd(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.options.tickerd);
        command
            .args(args)
            .env_clear()
            .env("DATABASE_URL", self.postgres.url())
            .env("REDIS_URL", self.redis.url());
        command
    }

    pub async fn tickerd_to_end(
        &self,
        args: &[&str],
        timeout: Duration,
    ) -> Result<String, Failure> {
        to_end(self.tickerd(args), &self.options.tickerd, timeout).await
    }
}

/// Runs a command and returns what it wrote to stdout.
pub async fn to_end(
    mut command: Command,
    program: &Path,
    timeout: Duration,
) -> Result<String, Failure> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(timeout, command.output()).await;
    let output =
        output.map_err(|_| format!("{name} did not end within {} s", timeout.as_secs()))?;
    let output = output.map_err(|e| format!("can't start {}: {e}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} failed ({}): {}", output.status, said.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn connect_redis(url: &str) -> Result<redis::Connection, Failure> {
    let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
    let link = redis::Client::open(url)?.get_connection_with_timeout(timeout)?;
    link.set_read_timeout(Some(timeout))?;
    link.set_write_timeout(Some(timeout))?;
    Ok(link)
}
