//! What the tree of dependencies asks for, and what runs on somebody else's machine.

use std::process::Command;

use serde_json::Value;

/// A version as numbers, of which the last may be left out.
fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().expect("a number"));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// Covers the dependencies of every platform. A build fetches those of its own platform alone, so
/// this test fetches the rest, once: not `--offline`. What is fetched already needs no network.
#[test]
fn no_dependency_asks_for_a_newer_compiler_than_is_promised() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let asked = |name: &str| {
        packages.iter().find(|it| it["name"] == name).and_then(|it| it["rust_version"].as_str())
    };
    let promised = version(asked("tickerd").expect("Cargo.toml says one"));
    let newer: Vec<_> = packages
        .iter()
        .filter(|it| it["rust_version"].as_str().is_some_and(|asked| version(asked) > promised))
        .map(|it| it["name"].as_str().unwrap_or_default())
        .collect();
    assert!(packages.len() > 300 && newer.is_empty(), "{newer:?}");
    let other_platforms = packages.iter().filter(|it| it["name"] == "windows-sys");
    assert!(other_platforms.count() > 0, "only the dependencies of this platform were checked");
}

/// An action is somebody else's program: it is named by what it is, not by what it is called today.
#[test]
fn workflows_may_only_read_end_in_time_and_run_what_was_looked_at() {
    let mut workflows = 0;
    for entry in std::fs::read_dir(".github/workflows").expect("workflows") {
        let (path, mut jobs, mut bounds) = (entry.unwrap().path(), 0, 0);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{}", path.display());
        assert!(!text.contains(": write"), "{}", path.display());
        for line in text.lines() {
            jobs += usize::from(line.starts_with("    runs-on: "));
            bounds += usize::from(line.starts_with("    timeout-minutes: "));
            if let Some((_, action)) = line.split_once("uses: ") {
                let (_, commit) = action.split_once('@').expect("a version");
                let commit = commit.split(' ').next().unwrap();
                assert!(
                    commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                    "{action}"
                );
            }
        }
        assert!(jobs > 0 && jobs == bounds, "{}: each job has a bound", path.display());
        workflows += 1;
    }
    assert!(workflows > 0);
}
