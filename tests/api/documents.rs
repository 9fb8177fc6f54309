//! The documents say what the code does.

use std::path::Path;

pub fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every environment variable of every subcommand.
fn variables() -> Vec<String> {
    let command = tickerd::cli::command();
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let names =
        all.flat_map(clap::Command::get_arguments).filter_map(|argument| argument.get_env());
    let mut names: Vec<_> = names.map(|name| name.to_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    assert!(names.len() > 30, "{names:?}");
    names
}

#[test]
fn the_readme_names_every_variable() {
    let readme = read("README.md");
    let missing: Vec<_> =
        variables().into_iter().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_readme_names_every_default() {
    let readme = read("README.md");
    let command = tickerd::cli::command();
    for argument in command.get_subcommands().flat_map(clap::Command::get_arguments) {
        let (Some(name), [default]) = (argument.get_env(), argument.get_default_values()) else {
            continue;
        };
        let (name, default) = (name.to_str().unwrap(), default.to_str().unwrap());
        let line = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}`")))
            .unwrap_or_default();
        assert!(line.contains(&format!("`{default}`")), "{name} is {default} by default: {line}");
    }
}

#[test]
fn the_readme_names_every_error_code() {
    let (readme, source) = (read("README.md"), read("src/http/respond/error.rs"));
    let codes: Vec<_> = source
        .split("StatusCode::")
        .filter_map(|part| part.split_once(", \"")?.1.split('"').next())
        .collect();
    assert!(codes.len() > 15, "{codes:?}");
    let missing: Vec<_> =
        codes.into_iter().filter(|code| !readme.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_examples_of_environments_set_only_what_exists() {
    let (examples, known) =
        ([".env.example", "deploy/hosted.env.example"].map(read).join("\n"), variables());
    let set = examples
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='))
        .map(|(name, _)| name);
    let names: Vec<_> =
        set.filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')).collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(known.iter().any(|known| known == name), "{name} is no variable");
    }
}

/// The section of ARCHITECTURE.md that lists every bound.
fn bounds() -> String {
    let document = read("ARCHITECTURE.md");
    document
        .split("\n## ")
        .find(|section| section.starts_with("Bounds\n"))
        .expect("a section on bounds")
        .to_owned()
}

#[test]
fn every_knob_that_bounds_something_is_in_the_list_of_bounds() {
    let bounds = bounds();
    let words: Vec<_> = bounds.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    // A share and a level bound nothing.
    let is_bound = |name: &String| ["_MAX", "_MS", "_S"].iter().any(|unit| name.ends_with(unit));
    let is_listed = |name: &String| words.contains(&name.as_str());
    let missing: Vec<_> =
        variables().into_iter().filter(|name| is_bound(name) && !is_listed(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_name_in_the_list_of_bounds_is_a_knob_or_a_constant() {
    let (bounds, known, mut code) = (bounds(), variables(), String::new());
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
    let is_name = |word: &&str| {
        word.contains('_')
            && word.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
    };
    let names: Vec<_> = bounds.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(names.len() > 60, "{names:?}");
    for name in names {
        assert!(
            known.iter().any(|known| known == name) || code.contains(&format!("const {name}: ")),
            "{name} is neither"
        );
    }
}

/// Adds the text of all files below a directory.
pub fn sources(dir: &Path, into: &mut String) {
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => sources(&path, into),
            false => into.push_str(&std::fs::read_to_string(path).unwrap_or_default()),
        }
    }
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
