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

/// The jobs of a workflow: (name, text).
fn jobs(workflow: &str) -> Vec<(&str, String)> {
    let (_, text) = workflow.split_once("\njobs:\n").expect("jobs");
    let mut jobs: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let name = line.strip_prefix("  ").and_then(|rest| rest.strip_suffix(':'));
        match name.filter(|name| !name.starts_with([' ', '#'])) {
            Some(name) => jobs.push((name, String::new())),
            None => {
                if let Some((_, job)) = jobs.last_mut() {
                    job.push_str(line);
                    job.push('\n');
                }
            }
        }
    }
    jobs
}

fn may_write(text: &str) -> bool {
    text.contains(": write") || text.contains("write-all")
}

/// An action is the code of others: a commit pins it, a tag can move. Only the job that publishes a
/// release may write, and it runs no code of a dependency.
#[test]
fn workflows_may_only_read_end_in_time_and_run_what_was_looked_at() {
    let (mut workflows, mut writers) = (0, Vec::new());
    for entry in std::fs::read_dir(".github/workflows").expect("workflows") {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{}", path.display());
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (top, _) = text.split_once("\njobs:\n").expect("jobs");
        assert!(!may_write(top), "{file}: the permissions of all jobs");
        let jobs = jobs(&text);
        assert!(!jobs.is_empty(), "{file}");
        for (name, job) in &jobs {
            let starting_with = |key: &str| job.lines().filter(|it| it.starts_with(key)).count();
            let bounded = (starting_with("    runs-on: "), starting_with("    timeout-minutes: "));
            assert_eq!(bounded, (1, 1), "{file}: {name} ends in time");
            if may_write(job) {
                writers.push(format!("{file} {name}"));
                let code = ["cargo ", "make ", "npm ", "deploy/release-archive", "rustup "];
                assert!(!code.iter().any(|word| job.contains(word)), "{file}: {name}");
            }
        }
        for action in text.lines().filter_map(|line| Some(line.split_once("uses: ")?.1)) {
            let (_, commit) = action.split_once('@').expect("a version");
            let commit = commit.split(' ').next().unwrap();
            assert!(
                commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                "{action}"
            );
        }
        workflows += 1;
    }
    assert!(workflows > 0);
    assert_eq!(writers, ["release.yml publish"]);
}
