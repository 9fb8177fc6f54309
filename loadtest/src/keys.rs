//! 800 real keys, issued once and kept in a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use hyper::header::HeaderValue;
use indicatif::ProgressBar;

use crate::Failure;
use crate::stage::Stage;

pub const KEYS: usize = 800;
/// The first ones, from which single-key load is asked.
pub const ENTERPRISE: usize = 20;
const PRO: usize = 140;
/// argon2id takes a core each.
const AT_ONCE: usize = 2;
const ISSUE_TIMEOUT_S: u64 = 30;

/// Tokens: enterprise first, then pro, then free.
pub struct Keys(Vec<String>);

impl Keys {
    pub async fn obtain(stage: &Stage, progress: &ProgressBar) -> Result<Self, Failure> {
        let path = stage.file("keys");
        let kept = Self(
            std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect(),
        );
        if kept.0.len() == KEYS && kept.are_known(stage).await? {
            return Ok(kept);
        }
        let mut tokens = Vec::new();
        while tokens.len() < KEYS {
            let first = tokens.len();
            progress.set_message(format!("Issuing key {first} of {KEYS}"));
            let (one, other) = tokio::try_join!(issue(stage, first), issue(stage, first + 1))?;
            tokens.extend([one, other]);
        }
        const { assert!(KEYS.is_multiple_of(AT_ONCE)) };
        let _ = std::fs::remove_file(&path);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(tokens.join("\n").as_bytes())?;
        Ok(Self(tokens))
    }

    /// The database may have been removed since.
    async fn are_known(&self, stage: &Stage) -> Result<bool, Failure> {
        let ids: Vec<_> = self.0.iter().filter_map(|token| token.split('_').nth(2)).collect();
        let sql = "SELECT count(*) FROM api_keys WHERE id = ANY($1) AND revoked_at IS NULL";
        let known: i64 = stage.database.query_one(sql, &[&ids]).await?.get(0);
        Ok(known == i64::try_from(KEYS)?)
    }

    pub fn token(&self, index: usize) -> &str {
        &self.0[index]
    }

    /// As values of headers, which say of themselves that they are not for logs.
    pub fn headers(&self) -> Result<Vec<HeaderValue>, Failure> {
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

async fn issue(stage: &Stage, index: usize) -> Result<String, Failure> {
    let name = format!("key {index}");
    let args = ["keys", "issue", "--owner", "loadtest", "--name", &name, "--tier", tier(index)];
    let token = stage.tickerd_to_end(&args, Duration::from_secs(ISSUE_TIMEOUT_S)).await?;
    Ok(token.trim().to_owned())
}
