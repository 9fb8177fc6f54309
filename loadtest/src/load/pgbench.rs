//! Runs one turn of pgbench: the server's statement on Postgres, without the server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;
use tickerd::market::Order;
use tickerd::store::bars_sql;
use tokio::process::Command;

use crate::LoadtestError;
use crate::figures::Figures;
use crate::stage::{Stage, run_command};

/// Random stocks and days, as the uncached case asks for.
const VARIABLES: &str = include_str!("../../sql/range.sql");
const EXTRA_TIMEOUT_S: u64 = 30;

/// The statement that the server issues for a range, with pgbench's variables as its parameters.
fn script() -> String {
    let statement = bars_sql(Order::Desc)
        .replace("$1", ":stock")
        .replace("$2", "make_date(2016, :month, :day)")
        .replace("$3", "make_date(2025, :month, :day)")
        .replace("$4", ":rows");
    format!("{VARIABLES}{statement};\n")
}

pub async fn run(stage: &Stage, rows: u32) -> Result<Figures, LoadtestError> {
    let dir = stage.file("pgbench");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    let sql = dir.join("range.sql");
    std::fs::write(&sql, script())?;
    let options = &stage.options;
    let program = program(stage);
    let url = stage.postgres.url().parse::<tokio_postgres::Config>()?;
    let password = String::from_utf8_lossy(url.get_password().unwrap_or_default()).into_owned();
    let mut command = Command::new(&program);
    command.env("PGPASSWORD", password).args([
        "--no-vacuum",
        "--protocol=prepared",
        "--jobs=2",
        "--log",
    ]);
    command
        .arg("--log-prefix")
        .arg(dir.join("log"))
        .arg("--file")
        .arg(&sql)
        .arg(format!("--define=rows={rows}"));
    command
        .arg(format!("--client={}", options.connections))
        .arg(format!("--time={}", options.seconds));
    command
        .arg("--host=127.0.0.1")
        .arg(format!("--port={}", url.get_ports().first().copied().unwrap_or_default()));
    command
        .arg(format!("--username={}", url.get_user().unwrap_or_default()))
        .arg(url.get_dbname().unwrap_or_default());
    let timeout = Duration::from_secs(options.seconds + EXTRA_TIMEOUT_S);
    let output = run_command(command, &program, timeout).await?;
    let per_s = per_second(&output)
        .ok_or("the output of pgbench has no line `tps =`: is it from Postgres 13 or later?")?;
    let latency_us = latencies(&dir)?;
    std::fs::remove_dir_all(&dir)?;
    let at = |quantile| latency_us.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Figures {
        requests: latency_us.len(),
        requests_per_s: per_s,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        statuses: [].into(),
        cpu_us: None,
    })
}

/// The path of pgbench: next to the program of the running server, else on PATH.
fn program(stage: &Stage) -> PathBuf {
    let server = std::fs::read_link(format!("/proc/{}/exe", stage.postgres.pid()));
    let neighbour = server
        .ok()
        .map(|server| server.with_file_name("pgbench"))
        .filter(|program| program.is_file());
    neighbour.unwrap_or_else(|| "pgbench".into())
}

fn per_second(output: &str) -> Option<f64> {
    output.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
}

/// The latencies of all transactions, from the log files of pgbench, one per thread.
fn latencies(dir: &Path) -> Result<Histogram<u64>, LoadtestError> {
    let mut all = Histogram::new(3)?;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
            for took_us in std::fs::read_to_string(&path)?.lines().filter_map(latency_us) {
                all.record(took_us)?;
            }
        }
    }
    Ok(all)
}

/// A log line has client, transaction, microseconds, ...
fn latency_us(line: &str) -> Option<u64> {
    line.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_pgbench_is_parsed() {
        let output = "latency average = 1.1 ms\ninitial connection time = 60 ms\n\
                      tps = 34567.8 (without initial connection time)\n";
        assert_eq!(per_second(output), Some(34567.8));
        assert_eq!(latency_us("0 199 2241 0 1175850568 995598"), Some(2241));
    }
}
