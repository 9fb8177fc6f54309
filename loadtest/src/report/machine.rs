//! On what it was measured: figures of another machine are other figures.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::process::Command;

use crate::Failure;
use crate::probe::redis_version;
use crate::stage::{Stage, to_end};

const ASK_TIMEOUT_S: u64 = 10;

#[derive(Debug, Default, Serialize)]
pub struct Machine {
    pub cores: usize,
    pub cpu: String,
    pub memory_mb: u64,
    pub kernel: String,
    pub tickerd: String,
    pub commit: Option<String>,
    pub postgres: String,
    pub redis: String,
    pub oha: String,
}

impl Machine {
    pub async fn read(stage: &Stage) -> Result<Self, Failure> {
        let postgres: String = stage.database.query_one("SHOW server_version", &[]).await?.get(0);
        let cpu = line_of("/proc/cpuinfo", "model name")
            .map(|line| line.trim_matches([' ', '\t', ':']).to_owned());
        let memory_kb = line_of("/proc/meminfo", "MemTotal:")
            .and_then(|line| line.split_whitespace().next()?.parse().ok());
        let git = to_end(git(), Path::new("git"), Duration::from_secs(ASK_TIMEOUT_S)).await;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            memory_mb: memory_kb.unwrap_or(0_u64) / 1024,
            kernel: kernel(),
            tickerd: version(&stage.options.tickerd).await?,
            commit: git.ok().map(|commit| commit.trim().to_owned()),
            postgres: postgres.split(' ').next().unwrap_or_default().to_owned(),
            redis: redis_version(stage)?,
            oha: version(&stage.options.oha).await?,
        })
    }
}

fn git() -> Command {
    let mut git = Command::new("git");
    // Results of an earlier run are no change of what is measured.
    git.args(["describe", "--always", "--abbrev=9"]);
    git
}

/// The last word of what `program --version` prints.
async fn version(program: &Path) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command.arg("--version");
    let printed = to_end(command, program, Duration::from_secs(ASK_TIMEOUT_S)).await?;
    Ok(printed.split_whitespace().last().unwrap_or("unknown").to_owned())
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What follows tells who built it, and nothing of its speed.
    let version: Vec<_> = release.trim().split('.').take(2).collect();
    format!("{} {}", std::env::consts::OS, version.join(".")).trim().to_owned()
}

fn line_of(file: &str, name: &str) -> Option<String> {
    fs::read_to_string(file)
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix(name).map(str::to_owned))
}
