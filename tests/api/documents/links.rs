//! Links between the documents, and the size of the documents.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::{documents, read, without_code};

/// The lines of README.md and ARCHITECTURE.md at most: details belong in docs/.
const LINES_MAX: [(&str, usize); 2] = [("README.md", 160), ("ARCHITECTURE.md", 200)];
/// The characters of a table's cell at most.
const CELL_CHARS_MAX: usize = 120;

/// The targets of the links and images of a document.
fn targets(text: &str) -> Vec<String> {
    let text = without_code(text);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let images = text.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    links.chain(images).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors that GitHub gives the headings of a document.
fn anchors(text: &str) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let mut anchors = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if is_code || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let anchor: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = seen.entry(anchor.clone()).or_default();
        anchors.push(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    anchors
}

/// A path without `.` and `..`; `None` outside of the project.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop().then_some(())?;
            }
            component => normal.push(component),
        }
    }
    Some(normal)
}

/// Why a link of a document does not resolve.
fn problem(document: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) =
        target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let linked = match file {
        "" => document.to_owned(),
        file => match normal(&document.parent().unwrap_or(Path::new("")).join(file)) {
            Some(linked) => linked,
            None => return Some("is outside of the project".to_owned()),
        },
    };
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join(&linked).exists() {
        return Some(format!("{} does not exist", linked.display()));
    }
    let anchor = anchor?;
    let has_anchor = linked.extension().is_some_and(|extension| extension == "md")
        && anchors(&read(linked.to_str().unwrap())).iter().any(|known| known == anchor);
    (!has_anchor).then(|| format!("{} has no heading #{anchor}", linked.display()))
}

#[test]
fn every_relative_link_and_anchor_resolves() {
    let mut problems = Vec::new();
    let mut count = 0;
    for document in documents() {
        for target in targets(&read(&document)) {
            count += 1;
            if let Some(problem) = problem(Path::new(&document), &target) {
                problems.push(format!("{document}: {target}: {problem}"));
            }
        }
    }
    assert!(count > 60, "{count} links");
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_link_that_does_not_resolve_is_found() {
    let text = "A [link](a.md#b), `[no](link)`,\n```\n[no](link)\n```\n![image](b.png)\n";
    assert_eq!(targets(text), ["a.md#b", "b.png"]);
    let text = "# A, b's `c_d` & e\n```\n# no\n```\n## Twice\n### Twice\n#no\n";
    assert_eq!(anchors(text), ["a-bs-c_d--e", "twice", "twice-1"]);
    let of = |target| problem(Path::new("docs/testing.md"), target);
    assert_eq!(of("../Cargo.toml"), None);
    assert_eq!(of("https://example.com/none"), None);
    assert_eq!(of("#testing"), None);
    assert_eq!(of("none.md"), Some("docs/none.md does not exist".to_owned()));
    assert_eq!(of("#none"), Some("docs/testing.md has no heading #none".to_owned()));
    assert_eq!(of("../../other"), Some("is outside of the project".to_owned()));
}

#[test]
fn the_front_pages_are_short() {
    for (document, lines_max) in LINES_MAX {
        let lines = read(document).lines().count();
        assert!(lines <= lines_max, "{document} has {lines} lines, at most {lines_max}");
    }
}

#[test]
fn no_cell_of_a_table_is_long() {
    for document in documents() {
        let text = read(&document);
        for cell in text.lines().filter(|line| line.starts_with('|')).flat_map(|row| row.split('|'))
        {
            let chars = cell.trim().chars().count();
            assert!(chars <= CELL_CHARS_MAX, "{document}: {chars} characters: {cell}");
        }
    }
}

#[test]
fn every_page_of_docs_is_in_the_index_of_the_readme() {
    let readme = read("README.md");
    let linked = targets(&readme);
    for document in documents() {
        let (_, name) = document.rsplit_once('/').unwrap_or_default();
        if document == format!("docs/{name}") {
            assert!(linked.contains(&document), "README.md does not link to {document}");
        }
    }
}
