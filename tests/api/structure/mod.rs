//! The modules of `src`, and which of them may use which.

mod imports;

use std::path::{Path, PathBuf};

use imports::Imports;

/// The modules from top to bottom. A module uses those on lines below its own.
const LEVELS: [&[&str]; 8] = [
    &["cli"],
    &["http", "feed"],
    &["keys", "cache", "usage"],
    &["limiter", "store"],
    &["redis"],
    &["tls"],
    &["config", "metrics"],
    &["caller", "clock", "market", "route"],
];

/// Which modules may name which crate.
const CRATES: [(&str, &[&str]); 13] = [
    ("actix_web", &["http"]),
    ("actix_http", &["http"]),
    ("actix_server", &["http"]),
    ("actix_service", &["http"]),
    ("tokio_postgres", &["store"]),
    ("deadpool_postgres", &["store"]),
    ("fred", &["redis"]),
    ("clap", &["cli", "config"]),
    ("dotenvy", &["config"]),
    ("utoipa", &["http"]),
    ("prometheus", &["metrics"]),
    ("parquet", &["feed"]),
    ("ruzstd", &["feed"]),
];

/// Lines of code in one source file, without comments and unit tests.
const LINES_MAX: usize = 300;

/// Columns of a line of Rust.
const COLUMNS_MAX: usize = 100;

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A source file of a module.
struct Source {
    module: String,
    /// Inside `src`.
    path: PathBuf,
    /// Without comments and unit tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut sources = Vec::new();
    for file in rust_files(&src) {
        let path = file.strip_prefix(&src).unwrap().to_owned();
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs").to_owned();
        let is_test = path.to_str().unwrap().contains("tests");
        if ["main", "lib"].contains(&module.as_str()) || is_test {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: Vec<_> =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        sources.push(Source { module, path, code: code.join("\n") });
    }
    assert!(sources.len() > 50, "only {} files found in src", sources.len());
    sources
}

fn level(module: &str) -> usize {
    let level = LEVELS.iter().position(|modules| modules.contains(&module));
    level.unwrap_or_else(|| panic!("the module {module} has no level in LEVELS"))
}

#[test]
fn imports_only_go_down() {
    for Source { module, path, code } in sources() {
        for part in code.split("crate::").skip(1) {
            let used: String =
                part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_allowed = used == module || level(&used) > level(&module);
            assert!(
                is_allowed,
                "{} uses crate::{used}, which is not below {module}",
                path.display()
            );
        }
    }
}

/// What the files of `src` import, their unit tests included.
fn imports() -> Imports {
    let src = root().join("src");
    let read = |file: PathBuf| {
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (path, std::fs::read_to_string(file).unwrap())
    };
    let files = rust_files(&src).into_iter().filter(|file| !file.ends_with("main.rs"));
    Imports::of(&files.map(read).collect::<Vec<_>>())
}

#[test]
fn no_two_files_import_each_other() {
    let mutual = imports().mutual();
    let pairs: Vec<_> =
        mutual.iter().map(|(a, b)| format!("{} and {}", a.join("::"), b.join("::"))).collect();
    assert!(pairs.is_empty(), "these import each other: {pairs:#?}");
}

#[test]
fn no_folder_has_a_cycle_among_its_entries() {
    let cycles = imports().cycles();
    let cycles: Vec<Vec<_>> =
        cycles.iter().map(|cycle| cycle.iter().map(|module| module.join("::")).collect()).collect();
    assert!(cycles.is_empty(), "each of these is a cycle: {cycles:#?}");
}

#[test]
fn a_cycle_is_found_also_through_a_re_export_and_in_unit_tests() {
    let source = |path: &str, code: &str| (path.to_owned(), code.to_owned());
    let names =
        |modules: &[&str]| modules.iter().map(|it| vec![(*it).to_owned()]).collect::<Vec<_>>();
    let acyclic = [
        source("lib.rs", "mod a; mod b; mod c;"),
        source("a.rs", "use crate::b::{B, inner::{C}};"),
        source("b/mod.rs", "mod inner;\npub use inner::C;\npub struct B;"),
        source("b/inner.rs", "pub struct C; // use crate::a::A;"),
        source("c.rs", "use std::fmt;\nfn f() { crate::b::C; }"),
    ];
    let imports = Imports::of(&acyclic);
    assert!(imports.mutual().is_empty() && imports.cycles().is_empty(), "{:?}", imports.0);

    let mut mutual = acyclic.to_vec();
    mutual[3].1.push_str("\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}");
    let imports = Imports::of(&mutual);
    let inner = vec!["b".to_owned(), "inner".to_owned()];
    assert_eq!(imports.mutual(), [(names(&["a"]).remove(0), inner)]);
    assert_eq!(imports.cycles(), [names(&["a", "b"])]);

    // Three files in a row, each of which imports only the next.
    let mut long = acyclic.to_vec();
    long[2].1.push_str("\nuse super::c::D;");
    long[4].1.push_str("\nuse super::a;");
    let imports = Imports::of(&long);
    assert_eq!(imports.cycles(), [names(&["a", "b", "c"])]);
}

#[test]
fn only_the_modules_that_may_name_a_crate_name_it() {
    for Source { module, path, code } in sources() {
        for (name, allowed) in CRATES {
            let is_named = code.contains(&format!("{name}::"));
            let is_allowed = allowed.contains(&module.as_str());
            assert!(
                !is_named || is_allowed,
                "{} names {name}: only {allowed:?} may",
                path.display()
            );
        }
    }
}

#[test]
fn the_market_does_no_io_and_reads_no_clock() {
    const FORBIDDEN: [&str; 9] = [
        "std::fs",
        "std::net",
        "std::io",
        "tokio",
        "Utc::now",
        "Local::now",
        "SystemTime",
        "Instant",
        "async ",
    ];
    for Source { path, code, .. } in sources().iter().filter(|source| source.module == "market") {
        for forbidden in FORBIDDEN {
            assert!(!code.contains(forbidden), "{} has {forbidden}", path.display());
        }
    }
}

#[test]
fn no_source_file_is_too_long() {
    for Source { path, code, .. } in sources() {
        let lines = code.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines of code", path.display());
    }
}

#[test]
fn no_line_of_rust_is_wider_than_100_columns() {
    let folders = ["src", "tests", "testkit", "loadtest", "benches", "fuzz/fuzz_targets"];
    let mut wide = Vec::new();
    for file in folders
        .iter()
        .map(|it| root().join(it))
        .filter(|it| it.exists())
        .flat_map(|it| rust_files(&it))
    {
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, line) in text.lines().enumerate() {
            if line.chars().count() > COLUMNS_MAX {
                wide.push(format!("{}:{}", file.display(), at + 1));
            }
        }
    }
    assert!(wide.is_empty(), "wider than {COLUMNS_MAX} columns: {wide:#?}");
}
