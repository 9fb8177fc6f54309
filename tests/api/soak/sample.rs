//! Samples of memory, files and connections, and whether they stay flat.

use super::redis;
use crate::support::{App, Database, ProcessStats};

/// The measured values: name, allowed variation, and absolute limit.
const WATCHED: [(&str, f64, f64); 7] = [
    ("MiB of the first", 4.0, 192.0),
    ("MiB of the second", 4.0, 192.0),
    ("files of the first", 10.0, 200.0),
    ("files of the second", 10.0, 200.0),
    ("backends of Postgres", 4.0, 40.0),
    ("responses in Redis", 100.0, 20_000.0),
    ("MiB of Redis", 1.0, 16.0),
];
/// How far the last third of a run may exceed the middle third, as a fraction.
const GROWTH_MAX: f64 = 0.05;

pub struct Sample([f64; 7]);

pub struct Verdict {
    pub is_flat: bool,
    pub text: String,
}

impl Sample {
    pub async fn take(database: &Database, apps: &[App; 2]) -> Self {
        let [one, other] = apps.each_ref().map(|app| ProcessStats::of(app.pid()));
        let sql =
            "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend'";
        let backends: f64 = database.texts(sql).await[0].parse().expect("a number");
        // Excludes the rate limit windows: each key that was ever used has one.
        let all: usize = redis(&["DBSIZE"]).trim().parse().expect("a number");
        let windows = redis(&["--scan", "--pattern", "*rl:*"]).lines().count();
        let memory = redis(&["INFO", "memory"]);
        let bytes = memory
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"))
            .expect("Redis reports its memory");
        let bytes: f64 = bytes.trim().parse().expect("a number");
        let files = |usage: ProcessStats| usage.files as f64;
        Self([
            one.memory_mib as f64,
            other.memory_mib as f64,
            files(one),
            files(other),
            backends,
            all.saturating_sub(windows) as f64,
            bytes / f64::from(1 << 20),
        ])
    }

    pub fn head() -> String {
        WATCHED.iter().fold("second".to_owned(), |line, (name, ..)| format!("{line} | {name}"))
    }

    pub fn row(&self, second: u64) -> String {
        let cell = |line: String, (value, (name, ..)): (&f64, &(&str, f64, f64))| {
            format!("{line} | {value:>width$.0}", width = name.len())
        };
        self.0.iter().zip(&WATCHED).fold(format!("{second:>6}"), cell)
    }
}

/// Compares the lower quartiles of the last and the middle third of a run, and each sample with its
/// limit. The lower quartile leaves out short peaks, such as the 19 MiB of an argon2id hash; a leak
/// never shrinks.
pub fn verdict(samples: &[Sample]) -> Verdict {
    assert!(
        samples.len() >= 9,
        "{} samples are too few: expected two minutes or more",
        samples.len()
    );
    let third = samples.len() / 3;
    let mut is_flat = true;
    let mut parts = Vec::new();
    for (at, (name, slack, limit)) in WATCHED.iter().enumerate() {
        let quartile = |samples: &[Sample]| {
            let mut values: Vec<_> = samples.iter().map(|sample| sample.0[at]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 4]
        };
        let (middle, last) =
            (quartile(&samples[third..2 * third]), quartile(&samples[2 * third..]));
        let most = samples.iter().map(|sample| sample.0[at]).fold(0.0, f64::max);
        is_flat &= last <= middle * (1.0 + GROWTH_MAX) + slack && most <= *limit;
        parts.push(format!("{name} {middle:.0}, then {last:.0}"));
    }
    Verdict { is_flat, text: parts.join("; ") }
}
