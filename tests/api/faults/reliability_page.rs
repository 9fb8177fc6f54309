//! docs/reliability.md has one entry for each test that it names.

use std::path::Path;

use crate::documents::{read, sources};
use crate::support::with_result;

/// The tests that docs/reliability.md describes: (name, entry).
fn entries(text: &str) -> Vec<(&str, &str)> {
    let entries = text.split("\n### `").skip(1);
    entries.map(|entry| entry.split_once("`\n").expect("a heading is a test's name")).collect()
}

#[test]
fn each_entry_is_of_a_test_that_exists_and_was_run() {
    let mut code = String::new();
    let text = read("docs/reliability.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["src", "tests"].iter().for_each(|dir| sources(&root.join(dir), &mut code));
    let entries = entries(&text);
    assert!(entries.len() > 60, "{}", entries.len());
    // During a run with FIGURES=1 some results are still missing.
    let all_were_run = std::env::var_os("FIGURES").is_none();
    for (name, entry) in entries {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
        let entry = entry.split("\n#").next().unwrap();
        let results: Vec<_> =
            entry.lines().filter_map(|line| line.strip_prefix("Result: ")).collect();
        assert_eq!(results.len(), 1, "{name}: {entry}");
        assert!(!all_were_run || results != ["-"], "{name} was never run with FIGURES=1");
        with_result(&text, name, "anything").expect("the recorder finds the entry");
    }
}

#[test]
fn the_recorder_replaces_one_result_and_fails_on_none_or_two() {
    let text = "# R\n\n### `a`\n\nDoes a.\n\nResult: 1\n\n### `b`\n\nDoes b.\n\nResult: 1\n";
    let replaced = with_result(text, "a", "2").unwrap();
    assert_eq!(replaced, text.replacen("Result: 1", "Result: 2", 1));
    assert_eq!(with_result(&replaced, "a", "1").unwrap(), text);
    let error = with_result(text, "c", "2").unwrap_err();
    assert_eq!(error, "docs/reliability.md has 0 entries for c, expected 1");
    let twice = format!("{text}\n### `a`\n\nDoes a.\n\nResult: 3\n");
    let error = with_result(&twice, "a", "2").unwrap_err();
    assert_eq!(error, "docs/reliability.md has 2 entries for a, expected 1");
    let without = with_result("\n### `a`\n\nDoes a.\n", "a", "2").unwrap_err();
    assert_eq!(without, "docs/reliability.md has no result line for a");
}
