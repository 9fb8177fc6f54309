//! A local Postgres and a local Redis, and the queries on them beside the load.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use testkit::servers::{Durability, LocalPostgres, LocalRedis, choose_dir};
use tokio::process::Command;
use tokio_postgres::NoTls;

use crate::LoadtestError;
use crate::options::Options;

const CONNECT_TIMEOUT_MS: u64 = 5000;
/// Enough to count over all stocks on a Postgres that has just started.
const STATEMENT_TIMEOUT_MS: u64 = 60_000;
const MIGRATE_TIMEOUT_S: u64 = 60;

/// The servers that tickerd uses. They are stopped when this process ends, even if it is killed.
pub struct Stage {
    pub options: Options,
    pub postgres: LocalPostgres,
    pub redis: LocalRedis,
    pub database: tokio_postgres::Client,
    redis_connection: Mutex<redis::Connection>,
}

/// The limits of the tiers.
#[derive(Debug, Clone, Copy)]
pub enum TierLimits {
    /// 100, 1,000 and 10,000 requests a minute.
    Default,
    /// So high that requests are counted, but never rejected.
    Raised,
}

impl Stage {
    pub async fn start(options: &Options) -> Result<Self, LoadtestError> {
        let preferred = options.dir.clone();
        let servers = tokio::task::spawn_blocking(move || -> Result<_, LoadtestError> {
            let dir = choose_dir(&preferred)?;
            Ok((LocalPostgres::start(&dir, Durability::Durable)?, LocalRedis::start(&dir)?))
        });
        let (postgres, redis) = servers.await??;
        let mut config: tokio_postgres::Config = postgres.url().parse()?;
        config.connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS));
        config.options(format!("-c statement_timeout={STATEMENT_TIMEOUT_MS}"));
        let (database, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        let redis_connection = Mutex::new(connect_redis(&redis.url())?);
        let options = options.clone();
        let stage = Self { options, postgres, redis, database, redis_connection };
        stage.run_tickerd(&["migrate"], Duration::from_secs(MIGRATE_TIMEOUT_S)).await?;
        Ok(stage)
    }

    /// The connection for a few commands between turns of load.
    pub fn redis_connection(&self) -> MutexGuard<'_, redis::Connection> {
        self.redis_connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the sliding windows and cache entries of the previous case.
    pub fn empty_redis(&self) -> Result<(), LoadtestError> {
        Ok(redis::cmd("FLUSHDB").query(&mut *self.redis_connection())?)
    }

    /// Sets the limits. Call it before a server starts: servers cache them with the keys.
    pub async fn set_tiers(&self, limits: TierLimits) -> Result<(), LoadtestError> {
        let raised = matches!(limits, TierLimits::Raised);
        let sql = "UPDATE tiers SET requests_per_minute = CASE WHEN $1 THEN 10000000
                   ELSE CASE name WHEN 'free' THEN 100 WHEN 'pro' THEN 1000 ELSE 10000 END END";
        self.database.execute(sql, &[&raised]).await?;
        Ok(())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.options.dir.join(name)
    }

    /// The command `tickerd ARGS` on the local servers with default settings, without the
    /// environment of this process.
    pub fn tickerd(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.options.tickerd);
        command
            .args(args)
            .env_clear()
            .env("DATABASE_URL", self.postgres.url())
            .env("REDIS_URL", self.redis.url());
        command
    }

    /// Runs `tickerd ARGS` and returns its stdout.
    pub async fn run_tickerd(
        &self,
        args: &[&str],
        timeout: Duration,
    ) -> Result<String, LoadtestError> {
        run_command(self.tickerd(args), &self.options.tickerd, timeout).await
    }
}

/// Runs a command and returns its stdout.
pub async fn run_command(
    mut command: Command,
    program: &Path,
    timeout: Duration,
) -> Result<String, LoadtestError> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(timeout, command.output()).await;
    let output =
        output.map_err(|_| format!("{name} did not finish within {} s", timeout.as_secs()))?;
    let output = output.map_err(|error| format!("can't start {}: {error}", program.display()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} failed ({}): {}", output.status, message.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn connect_redis(url: &str) -> Result<redis::Connection, LoadtestError> {
    let timeout = Duration::from_millis(CONNECT_TIMEOUT_MS);
    let connection = redis::Client::open(url)?.get_connection_with_timeout(timeout)?;
    connection.set_read_timeout(Some(timeout))?;
    connection.set_write_timeout(Some(timeout))?;
    Ok(connection)
}
