//! The documents say what the code does.

mod answers;
mod configuration;
mod links;
mod names;

use std::path::Path;

pub fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every document that people read, as a path inside the project.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut documents, mut dirs) = (Vec::new(), vec![root.join("docs")]);
    while let Some(dir) = dirs.pop() {
        for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => dirs.push(path),
                false => documents.push(path),
            }
        }
    }
    for dir in ["", "deploy", "loadtest", "seed"] {
        let entries = std::fs::read_dir(root.join(dir)).unwrap();
        documents.extend(entries.map(|entry| entry.unwrap().path()));
    }
    let inside = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let mut documents: Vec<_> = documents.iter().map(|path| inside(path)).collect();
    documents.retain(|name| name.ends_with(".md"));
    documents.sort();
    assert!(documents.len() > 15, "{documents:?}");
    documents
}

/// A document without its code blocks and code spans.
fn without_code(text: &str) -> String {
    let blocks = text.split("\n```").step_by(2);
    let mut prose = String::new();
    for (i, block) in blocks.enumerate() {
        // What follows a closing fence begins with the end of its line.
        let block = if i == 0 { block } else { block.split_once('\n').unwrap_or_default().1 };
        block.split('`').step_by(2).for_each(|part| prose.push_str(part));
        prose.push('\n');
    }
    prose
}

/// The text after a line that begins with `begin`, up to a line that begins with `end`:
/// (before, text, after).
fn between<'a>(document: &'a str, begin: &str, end: &str) -> (&'a str, &'a str, &'a str) {
    let at = document.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    let from = at + document[at..].find('\n').expect("a line ends") + 1;
    let to = from + document[from..].find(end).unwrap_or_else(|| panic!("no {end}"));
    (&document[..from], &document[from..to], &document[to..])
}

/// Compares a generated document with the committed one. `UPDATE_DOCS=1` writes it first.
fn is_as_generated(name: &str, generated: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), generated)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    assert!(
        read(name) == generated,
        "{name} is out of date: UPDATE_DOCS=1 cargo test --test api documents:: writes it"
    );
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
fn the_page_of_settings_names_every_variable() {
    let page = read("docs/configuration.md");
    let missing: Vec<_> =
        variables().into_iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_page_of_settings_names_every_default() {
    let page = read("docs/configuration.md");
    let command = tickerd::cli::command();
    for argument in command.get_subcommands().flat_map(clap::Command::get_arguments) {
        let (Some(name), [default]) = (argument.get_env(), argument.get_default_values()) else {
            continue;
        };
        let (name, default) = (name.to_str().unwrap(), default.to_str().unwrap());
        let line =
            page.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap_or_default();
        assert!(line.contains(&format!("`{default}`")), "{name} is {default} by default: {line}");
    }
}

#[test]
fn the_page_of_errors_names_every_code() {
    let (page, source) = (read("docs/errors.md"), read("src/http/respond/error.rs"));
    let codes: Vec<_> = source
        .split("StatusCode::")
        .filter_map(|part| part.split_once(", \"")?.1.split('"').next())
        .filter(|code| code.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(codes.len() > 15, "{codes:?}");
    let missing: Vec<_> =
        codes.into_iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
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

#[test]
fn every_setting_that_bounds_something_is_in_the_list_of_bounds() {
    let bounds = read("docs/bounds.md");
    let words: Vec<_> = bounds.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    // A share and a level bound nothing.
    let is_bound = |name: &String| ["_MAX", "_MS", "_S"].iter().any(|unit| name.ends_with(unit));
    let is_listed = |name: &String| words.contains(&name.as_str());
    let missing: Vec<_> =
        variables().into_iter().filter(|name| is_bound(name) && !is_listed(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_name_in_the_list_of_bounds_is_a_setting_or_a_constant() {
    let (bounds, known, mut code) = (read("docs/bounds.md"), variables(), String::new());
    for dir in ["src", "testkit/src"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut code);
    }
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
