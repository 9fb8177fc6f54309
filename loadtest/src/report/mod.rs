//! The report: the results as a table, as JSON and as a chart.

mod chart;
mod machine;
mod table;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::LoadtestError;
use crate::figures::{Ceiling, Figures};
use crate::options::Options;
use crate::probe::{OtherUsage, ResourceMeter, ResourceUsage};
pub use machine::Machine;

/// A note reports the usage of other programs from this number of cores on.
const OTHERS_CORES_NOTED: f64 = 0.1;
/// The maximum number of Redis commands in a note. JSON has them all.
const COMMANDS_NOTED: usize = 6;

#[derive(Serialize)]
pub struct Report {
    pub machine: Machine,
    pub settings: Settings,
    pub rows: Vec<CaseResult>,
    pub cold: Option<ColdStart>,
    pub loads: Option<LoadSpeeds>,
}

#[derive(Serialize)]
pub struct Settings {
    pub seconds: u64,
    pub connections: u16,
    pub rounds: u32,
    pub paced_seconds: u64,
}

/// The result of one case.
#[derive(Serialize)]
pub struct CaseResult {
    pub case: String,
    #[serde(flatten)]
    pub figures: Figures,
    /// Whether the request rate was given, so that it does not measure the server.
    pub paced: bool,
    pub usage: Option<ResourceUsage>,
    pub redis_calls_per_request: f64,
    pub redis_commands_per_request: BTreeMap<String, f64>,
    pub hit_rate: Option<f64>,
    pub ceiling: Option<Ceiling>,
    pub notes: Vec<String>,
}

/// The times from the start of the process to its first responses: medians, and each start.
#[derive(Serialize)]
pub struct ColdStart {
    pub health_ms: f64,
    pub prices_ms: f64,
    pub health_ms_each: Vec<f64>,
    pub prices_ms_each: Vec<f64>,
}

/// Speeds of loads of the same rows: medians over the rounds.
#[derive(Serialize)]
pub struct LoadSpeeds {
    pub rows: u64,
    pub rounds: usize,
    /// COPY into a plain table.
    pub copy_rows_per_s: f64,
    /// `tickerd ingest prices` into fresh stocks.
    pub fresh_rows_per_s: f64,
    /// The same file again.
    pub same_rows_per_s: f64,
    /// A file that corrects every bar.
    pub corrected_rows_per_s: f64,
    /// The speed of a fresh load as a part of that of COPY.
    pub fresh_to_copy: f64,
    /// The other speeds as parts of that of a fresh load.
    pub same_to_fresh: f64,
    pub corrected_to_fresh: f64,
}

impl Report {
    pub fn new(machine: Machine, options: &Options) -> Self {
        let Options { seconds, connections, rounds, paced_seconds, .. } = *options;
        let settings = Settings { seconds, connections, rounds, paced_seconds };
        Self { machine, settings, rows: Vec::new(), cold: None, loads: None }
    }
}

impl CaseResult {
    /// The figures of a case with the measurements of `meter`.
    pub fn new(case: &str, figures: Figures, meter: &ResourceMeter<'_>) -> Self {
        let commands = meter.commands().per_request(figures.requests);
        let mut row = Self {
            case: case.to_owned(),
            paced: false,
            usage: meter.usage(),
            // The sum of an empty iterator of floats is -0.
            redis_calls_per_request: commands.iter().map(|(_, n)| n).sum::<f64>().abs(),
            redis_commands_per_request: BTreeMap::new(),
            hit_rate: None,
            ceiling: None,
            notes: Vec::new(),
            figures,
        };
        if row.redis_calls_per_request >= 0.01 {
            let noted: Vec<_> = commands
                .iter()
                .take(COMMANDS_NOTED)
                .map(|(name, n)| format!("{name} {n:.2}"))
                .collect();
            row.note(format!("Redis calls a request: {}", noted.join(", ")));
        }
        if let Some(others) = row.usage.as_ref().map(|usage| usage.others)
            && others.cores + others.stolen_cores >= OTHERS_CORES_NOTED
        {
            let OtherUsage { cores, stolen_cores } = others;
            row.note(format!(
                "other processes used {cores:.2} cores, the host stole {stolen_cores:.2}"
            ));
        }
        row.redis_commands_per_request = commands.into_iter().collect();
        row
    }

    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }
}

/// Prints the report and writes it to `latest.md`, `latest.json` and `latest.svg`.
pub fn write(report: &Report, dir: &Path) -> Result<(), LoadtestError> {
    let text = table::text(report);
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("latest.json"), serde_json::to_string_pretty(report)? + "\n")?;
    if !report.rows.is_empty() {
        std::fs::write(dir.join("latest.svg"), chart::svg(report))?;
    }
    std::fs::write(dir.join("latest.md"), &text)?;
    std::io::stdout().write_all(text.as_bytes())?;
    eprintln!("Written to {}: latest.md, latest.json, latest.svg", dir.display());
    Ok(())
}

/// A number with its significant digits, and with commas between thousands.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_significant_digits() {
        let numbers = [0.123, 12.34, 123.4, 1234.5, 1_234_567.0].map(number);
        assert_eq!(numbers, ["0.12", "12.3", "123", "1,234", "1,234,567"]);
    }

    pub fn sample() -> Report {
        let figures = |requests_per_s: f64| Figures {
            requests: 100,
            requests_per_s,
            p50_ms: 0.5,
            p99_ms: 2.0,
            p999_ms: 4.0,
            statuses: [("200".to_owned(), 99), ("503".to_owned(), 1)].into(),
            cpu_us: None,
        };
        let row = |case: &str, ceiling| CaseResult {
            case: case.to_owned(),
            figures: figures(70_000.0),
            paced: false,
            usage: Some(ResourceUsage {
                cores: [0.5, 0.25, 0.125],
                memory_mb: [20.0, 100.0, 5.0],
                others: OtherUsage::default(),
            }),
            redis_calls_per_request: 0.25,
            redis_commands_per_request: BTreeMap::new(),
            hit_rate: Some(0.5),
            ceiling,
            notes: vec!["a <note>".to_owned()],
        };
        let ceiling = Ceiling {
            name: "bare",
            figures: figures(100_000.0),
            requests_ratio: 0.7,
            p99_ratio: 1.5,
            cpu_ratio: Some(1.25),
        };
        let settings = Settings { seconds: 4, connections: 50, rounds: 5, paced_seconds: 60 };
        let cold = ColdStart {
            health_ms: 15.0,
            prices_ms: 60.0,
            health_ms_each: vec![15.0],
            prices_ms_each: vec![60.0],
        };
        let loads = LoadSpeeds {
            rows: 950_000,
            rounds: 5,
            copy_rows_per_s: 200_000.0,
            fresh_rows_per_s: 100_000.0,
            same_rows_per_s: 150_000.0,
            corrected_rows_per_s: 50_000.0,
            fresh_to_copy: 0.5,
            same_to_fresh: 1.5,
            corrected_to_fresh: 0.5,
        };
        let rows = vec![row("first & <case>", Some(ceiling)), row("second", None)];
        Report { machine: Machine::default(), settings, rows, cold: Some(cold), loads: Some(loads) }
    }
}
