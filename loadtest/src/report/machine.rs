//! The machine and the versions of the measured programs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::process::Command;

use crate::LoadtestError;
use crate::probe::redis_version;
use crate::stage::{Stage, run_command};

const VERSION_TIMEOUT_S: u64 = 10;

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
    pub async fn read(stage: &Stage) -> Result<Self, LoadtestError> {
        let postgres: String = stage.database.query_one("SHOW server_version", &[]).await?.get(0);
        let cpu = line_of("/proc/cpuinfo", "model name")
            .map(|line| line.trim_matches([' ', '\t', ':']).to_owned());
        let memory_kb = line_of("/proc/meminfo", "MemTotal:")
            .and_then(|line| line.split_whitespace().next()?.parse().ok());
        let timeout = Duration::from_secs(VERSION_TIMEOUT_S);
        let git = run_command(git(), Path::new("git"), timeout).await;
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

/// Without `--dirty`, as results of an earlier run do not change the measured program.
fn git() -> Command {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--abbrev=9"]);
    git
}

/// The last word of the output of `program --version`.
async fn version(program: &Path) -> Result<String, LoadtestError> {
    let mut command = Command::new(program);
    command.arg("--version");
    let output = run_command(command, program, Duration::from_secs(VERSION_TIMEOUT_S)).await?;
    Ok(output.split_whitespace().last().unwrap_or("unknown").to_owned())
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // The rest identifies the build.
    let version: Vec<_> = release.trim().split('.').take(2).collect();
    format!("{} {}", std::env::consts::OS, version.join(".")).trim().to_owned()
}

fn line_of(file: &str, name: &str) -> Option<String> {
    fs::read_to_string(file)
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix(name).map(str::to_owned))
}
