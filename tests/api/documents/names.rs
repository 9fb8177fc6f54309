//! Commands and tests that the documents name exist.

use std::path::Path;

use super::{documents, read, sources};

/// The targets of `make` that a document names, in code.
fn make_targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut is_block = false;
    for line in text.lines() {
        is_block ^= line.starts_with("```");
        let in_spans = line.split("`make ").skip(1);
        let in_block = line.strip_prefix("make ").filter(|_| is_block);
        targets.extend(in_spans.chain(in_block).map(|rest| {
            rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>()
        }));
    }
    targets
}

#[test]
fn every_make_target_that_a_document_names_exists() {
    let makefile = read("Makefile");
    let mut count = 0;
    for document in documents() {
        for target in make_targets(&read(&document)) {
            let exists = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(exists, "{document}: there is no make {target}");
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn every_make_target_for_people_is_described_in_the_documents() {
    let (makefile, documents) = (read("Makefile"), documents());
    let named: Vec<_> = documents.iter().flat_map(|name| make_targets(&read(name))).collect();
    for line in makefile.lines().filter(|line| line.contains(": ") && line.contains(" ## ")) {
        let (target, _) = line.split_once(':').unwrap();
        let is_for_people = target != "help" && !target.starts_with("tools");
        assert!(!is_for_people || named.iter().any(|known| known == target), "make {target}");
    }
}

/// The paths of all files in `dir`, with `/` before each name.
fn paths(dir: &Path, into: &mut Vec<String>) {
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => paths(&path, into),
            false => into.push(path.to_str().unwrap().to_owned()),
        }
    }
}

#[test]
fn every_rust_file_that_a_document_names_exists() {
    let (root, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    for dir in ["src", "tests", "testkit/src", "loadtest/src", "benches", "fuzz/fuzz_targets"] {
        paths(&root.join(dir), &mut files);
    }
    files.push(root.join("build.rs").to_str().unwrap().to_owned());
    let mut count = 0;
    for document in documents() {
        // Capital letters stand for a name that the reader chooses, as in `store/TABLE.rs`.
        let is_file = |word: &&str| {
            let is_path = |c: char| c.is_ascii_lowercase() || "/_.".contains(c);
            word.ends_with(".rs") && word.chars().all(is_path)
        };
        for name in read(&document).split('`').skip(1).step_by(2).filter(is_file) {
            let end = format!("/{name}");
            assert!(files.iter().any(|file| file.ends_with(&end)), "{document}: no {name}");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let (model, mut code) = (read("SECURITY.md"), String::new());
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut code);
    let is_test = |word: &&str| {
        word.contains('_')
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    let names: Vec<_> = model.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}
