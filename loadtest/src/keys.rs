//! 800 keys, issued once and stored in a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use hyper::header::HeaderValue;
use indicatif::ProgressBar;

use crate::LoadtestError;
use crate::stage::Stage;

pub const KEYS: usize = 800;
/// The number of enterprise keys, which come first. Load with a single key uses the first.
pub const ENTERPRISE: usize = 20;
const PRO: usize = 140;
/// The number of keys issued concurrently. Each takes a core for argon2id.
const CONCURRENT: usize = 2;
const ISSUE_TIMEOUT_S: u64 = 30;

/// The tokens: enterprise, then pro, then free.
pub struct Keys(Vec<String>);

impl Keys {
    pub async fn obtain(stage: &Stage, progress: &ProgressBar) -> Result<Self, LoadtestError> {
        let path = stage.file("keys");
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        let stored = Self(file.lines().map(str::to_owned).collect());
        if stored.0.len() == KEYS && stored.exist(stage).await? {
            return Ok(stored);
        }
        let mut tokens = Vec::new();
        while tokens.len() < KEYS {
            let first = tokens.len();
            progress.set_message(format!("Issuing key {first} of {KEYS}"));
            let pair = tokio::try_join!(issue(stage, first), issue(stage, first + 1))?;
            tokens.extend([pair.0, pair.1]);
        }
        const { assert!(CONCURRENT == 2 && KEYS.is_multiple_of(CONCURRENT)) };
        let _ = std::fs::remove_file(&path);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(tokens.join("\n").as_bytes())?;
        Ok(Self(tokens))
    }

    /// Whether all keys exist in the database, which may be newer than the file.
    async fn exist(&self, stage: &Stage) -> Result<bool, LoadtestError> {
        let ids: Vec<_> = self.0.iter().filter_map(|token| token.split('_').nth(2)).collect();
        let sql = "SELECT count(*) FROM api_keys WHERE id = ANY($1) AND revoked_at IS NULL";
        let found: i64 = stage.database.query_one(sql, &[&ids]).await?.get(0);
        Ok(found == i64::try_from(KEYS)?)
    }

    pub fn token(&self, index: usize) -> &str {
        &self.0[index]
    }

    /// The tokens as header values that are marked as sensitive, so that they are not logged.
    pub fn headers(&self) -> Result<Vec<HeaderValue>, LoadtestError> {
        let header = |token: &String| {
            let mut value = HeaderValue::from_str(token)?;
            value.set_sensitive(true);
            Ok(value)
        };
        self.0.iter().map(header).collect()
    }
}

pub fn tier(index: usize) -> &'static str {
    match index {
        0..ENTERPRISE => "enterprise",
        i if i < ENTERPRISE + PRO => "pro",
        _ => "free",
    }
}

async fn issue(stage: &Stage, index: usize) -> Result<String, LoadtestError> {
    let name = format!("key {index}");
    let args = ["keys", "issue", "--owner", "loadtest", "--name", &name, "--tier", tier(index)];
    let token = stage.run_tickerd(&args, Duration::from_secs(ISSUE_TIMEOUT_S)).await?;
    Ok(token.trim().to_owned())
}
