//! Synthetic history is reproducible from its seed and loads like any other.

use std::path::Path;

use crate::support::{CommandOutput, Database, tickerd};

const FILES: [&str; 3] = ["stocks.csv", "prices.csv.gz", "corporate_actions.csv"];

/// `tickerd generate` for 12 stocks over ten years, with more arguments.
fn generate(out: &Path, more: &[&str]) -> CommandOutput {
    let out = out.to_str().unwrap();
    let plan =
        ["generate", "--stocks", "12", "--from", "2010-01-01", "--to", "2019-12-31", "--out", out];
    CommandOutput::of(&mut tickerd(&[plan.as_slice(), more].concat()))
}

fn contents(dir: &Path) -> [Vec<u8>; 3] {
    FILES.map(|name| std::fs::read(dir.join(name)).unwrap())
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_seed_does_not() {
    let scratch = tempfile::tempdir().unwrap();
    let [first, again, other] =
        [("first", "7"), ("again", "7"), ("other", "8")].map(|(name, seed)| {
            let out = scratch.path().join(name);
            let output = generate(&out, &["--seed", seed]);
            assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output:?}");
            assert!(output.stderr.contains("Wrote 12 stocks"), "{output:?}");
            contents(&out)
        });
    for ((name, first), (again, other)) in FILES.iter().zip(&first).zip(again.iter().zip(&other)) {
        assert!(first == again, "{name} differs");
        assert!(first != other, "{name} does not depend on the seed");
    }
}

#[tokio::test]
async fn generated_files_load_completely() {
    let scratch = tempfile::tempdir().unwrap();
    let counts = generate(scratch.path(), &["--json"]).json();
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    for (kind, file) in [("stocks", FILES[0]), ("prices", FILES[1]), ("actions", FILES[2])] {
        let path = scratch.path().join(file);
        let report = database.output(&["ingest", kind, path.to_str().unwrap(), "--json"]).json();
        let counted = &counts[if kind == "actions" { "corporate_actions" } else { kind }];
        assert!(counted.as_u64().unwrap() > 0, "{counts}");
        assert_eq!(
            (&report["added"], report["unchanged"].as_u64()),
            (counted, Some(0)),
            "{kind}: {report}"
        );
    }
}

#[test]
fn existing_files_are_replaced_only_with_yes() {
    let scratch = tempfile::tempdir().unwrap();
    for name in FILES {
        let out = scratch.path().join(format!("with-{name}"));
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join(name), "mine").unwrap();
        let refused = generate(&out, &[]);
        assert!(
            refused.error_line().contains(name) && refused.error_line().contains("--yes"),
            "{refused:?}"
        );
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "no other file was written");
        assert_eq!(std::fs::read(out.join(name)).unwrap(), b"mine");
        assert_eq!(generate(&out, &["--yes"]).code, Some(0));
        assert!(contents(&out).iter().all(|bytes| bytes != b"mine"));
    }
}

#[test]
fn an_impossible_request_is_one_error_line_and_creates_no_directory() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    for (stocks, from, to, message) in [
        ("5", "2020-01-02", "2020-01-01", "2020-01-02 is after the last day 2020-01-01"),
        ("0", "2020-01-01", "2020-12-31", "at least 1"),
        ("4294967295", "2020-01-01", "2020-12-31", "at most"),
        ("5", "1800-01-01", "2020-12-31", "calendar"),
        // A Saturday and a Sunday.
        ("5", "2020-01-04", "2020-01-05", "closed"),
    ] {
        let arguments = [
            "generate",
            "--stocks",
            stocks,
            "--from",
            from,
            "--to",
            to,
            "--out",
            out.to_str().unwrap(),
        ];
        let output = CommandOutput::of(&mut tickerd(&arguments));
        assert!(output.error_line().contains(message), "{output:?}");
        assert!(!out.exists());
    }
}

#[test]
fn wrong_usage_exits_2_and_leaves_stdout_empty() {
    let days = ["--from", "2020-01-01", "--to", "2020-02-30"];
    for more in [["--stocks", "5"], ["--stocks", "-1"], ["--stocks", "five"], ["--seed", "1"]] {
        let output =
            CommandOutput::of(&mut tickerd(&[["generate"].as_slice(), &more, &days].concat()));
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    }
}
