//! RELIABILITY.md tells of tests that exist, and of what they saw.

use std::path::Path;

use crate::documents::sources;

#[test]
fn each_row_is_of_a_test_that_exists_and_was_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut code, text) =
        (String::new(), std::fs::read_to_string(root.join("RELIABILITY.md")).unwrap());
    ["src", "tests"].iter().for_each(|dir| sources(&root.join(dir), &mut code));
    let rows: Vec<Vec<_>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").collect())
        .collect();
    assert!(!rows.is_empty());
    // While they are being run, some are still to come.
    let all_were_run = std::env::var_os("FIGURES").is_none();
    for row in rows {
        let name = row[0].trim_matches(['|', ' ', '`']);
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
        assert_eq!(row.len(), 3, "a row is a test, what was done, what was seen: {row:?}");
        let seen = row[2].trim_matches(['|', ' ']);
        assert!(!all_were_run || seen != "-", "{name} was never run with FIGURES=1");
    }
}
