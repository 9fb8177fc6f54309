//! What the tests of faults saw, where people read it.

use std::fs::{File, read_to_string, write};
use std::path::Path;
use std::process::Command;

/// Says what a test saw. With `FIGURES=1` it is written beside the name of the test in
/// RELIABILITY.md.
///
/// # Panics
/// Where RELIABILITY.md does not tell of the test.
pub fn record(test: &str, seen: &str) {
    println!("{test}: {seen}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("RELIABILITY.md");
    // Tests run side by side.
    let lock = File::open(env!("CARGO_MANIFEST_DIR")).expect("the project is here");
    lock.lock().expect("a lock");
    let text = read_to_string(&path).expect("RELIABILITY.md");
    let start = format!("| `{test}` | ");
    let row = text.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("RELIABILITY.md has no row of {test}"));
    if std::env::var_os("FIGURES").is_none() {
        return;
    }
    let done = row[start.len()..].split(" | ").next().expect("never empty").trim_end_matches(" |");
    let text = text.replace(row, &format!("{start}{done} | {seen} |"));
    let measured = text
        .lines()
        .find(|line| line.starts_with("Measured on "))
        .expect("a line says on what")
        .to_owned();
    write(&path, text.replace(&measured, &machine())).expect("written");
}

/// On what it was seen, and when.
fn machine() -> String {
    let line = |file: &str, name: &str| {
        let text = read_to_string(file).unwrap_or_default();
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.split_once(':')?.1.trim().to_owned().into())
    };
    let cpu: String =
        line("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = line("/proc/meminfo", "MemTotal").unwrap_or_default();
    let memory_gb = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1_000_000;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let printed = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let redis = printed("redis-server", &["--version"]);
    let redis = redis
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="))
        .unwrap_or("unknown")
        .to_owned();
    // What follows the first two numbers is a distribution's, or a machine's owner's.
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    format!(
        "Measured on {} of {}: {cores} shared cores of {cpu}, {memory_gb} GB, Linux {kernel}, Redis {redis}.",
        chrono::Utc::now().format("%Y-%m-%d"),
        printed("git", &["describe", "--always", "--abbrev=9"]),
    )
}
