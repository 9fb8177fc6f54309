//! Writes the results of tests into docs/reliability.md.

use std::fs::{File, read_to_string, write};
use std::path::Path;
use std::process::Command;

/// Prints the result of a test. With `FIGURES=1` it also replaces the test's result in
/// docs/reliability.md.
///
/// # Panics
/// When docs/reliability.md does not have exactly one entry for the test.
pub fn record(test: &str, result: &str) {
    println!("{test}: {result}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let path = root.join("docs/reliability.md");
    // Tests run side by side.
    let lock = File::open(root).expect("the project directory opens");
    lock.lock().expect("the lock is granted");
    let text = read_to_string(&path).expect("docs/reliability.md is readable");
    let text = with_result(&text, test, result).unwrap_or_else(|error| panic!("{error}"));
    if std::env::var_os("FIGURES").is_none() {
        return;
    }
    let measured = text
        .lines()
        .find(|line| line.starts_with("Measured on "))
        .expect("a line says where the figures come from")
        .to_owned();
    write(&path, text.replace(&measured, &machine())).expect("docs/reliability.md is writable");
}

/// The document with a new result for one test. An entry is a heading with the name of the test,
/// a description, and a line that begins with "Result: ".
///
/// # Errors
/// When the document does not have exactly one entry for the test.
pub fn with_result(text: &str, test: &str, result: &str) -> Result<String, String> {
    let heading = format!("\n### `{test}`\n");
    let [before, entry] = text.split(&heading).collect::<Vec<_>>()[..] else {
        let count = text.matches(&heading).count();
        return Err(format!("docs/reliability.md has {count} entries for {test}, expected 1"));
    };
    let (entry, after) = entry.split_at(entry.find("\n#").unwrap_or(entry.len()));
    let old = entry.lines().find(|line| line.starts_with("Result: "));
    let old = old.ok_or_else(|| format!("docs/reliability.md has no result line for {test}"))?;
    let entry = entry.replace(old, &format!("Result: {result}"));
    Ok([before, &heading, &entry, after].concat())
}

/// The date, the commit and the machine of a run.
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
        let output = Command::new(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let redis = printed("redis-server", &["--version"]);
    let redis = redis
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="))
        .unwrap_or("unknown")
        .to_owned();
    // The rest of the version names a distribution or the owner of the machine.
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    format!(
        "Measured on {} of {}: {cores} shared cores of {cpu}, {memory_gb} GB, Linux {kernel}, \
         Redis {redis}.",
        chrono::Utc::now().format("%Y-%m-%d"),
        printed("git", &["describe", "--always", "--abbrev=9"]),
    )
}
