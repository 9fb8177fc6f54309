//! The rooms and what they may know of each other.

use std::path::{Path, PathBuf};

/// The rooms from top to bottom: each line may use the lines below it, and not its neighbours
/// above.
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

/// Which rooms may name which crate.
const CRATES: [(&str, &[&str]); 10] = [
    ("actix_web", &["http"]),
    ("actix_http", &["http"]),
    ("actix_server", &["http"]),
    ("actix_service", &["http"]),
    ("tokio_postgres", &["store"]),
    ("deadpool_postgres", &["store"]),
    ("fred", &["redis"]),
    ("clap", &["cli", "config"]),
    // What is published is described where it is; only `http` makes the reference of it.
    ("utoipa", &["http", "store"]),
    ("prometheus", &["metrics"]),
];

/// The longest a source file may be, tests left out.
const LINES_MAX: usize = 300;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Each source file of a room: (room, path, code without its tests and comments).
fn rooms() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms = Vec::new();
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap().to_owned();
        let room = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        let is_tests = inside.to_str().unwrap().contains("tests");
        if ["main", "lib"].contains(&room.as_str()) || is_tests {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: Vec<_> =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        rooms.push((room, inside, code.join("\n")));
    }
    assert!(rooms.len() > 50, "the sources are where they were: {}", rooms.len());
    rooms
}

fn level(room: &str) -> usize {
    LEVELS
        .iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| panic!("{room} has no level"))
}

#[test]
fn imports_only_go_down() {
    for (room, path, code) in rooms() {
        for part in code.split("crate::").skip(1) {
            let used: String =
                part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let allowed = used == room || level(&used) > level(&room);
            assert!(
                allowed,
                "{} uses crate::{used}, which is no room below {room}",
                path.display()
            );
        }
    }
}

#[test]
fn only_the_rooms_that_may_name_a_crate_name_it() {
    for (room, path, code) in rooms() {
        for (name, allowed) in CRATES {
            let named = code.contains(&format!("{name}::")) && !allowed.contains(&room.as_str());
            assert!(!named, "{} names {name}, which only {allowed:?} may", path.display());
        }
    }
}

#[test]
fn the_market_does_no_io_and_reads_no_clock() {
    for (room, path, code) in rooms() {
        if room != "market" {
            continue;
        }
        for forbidden in [
            "std::fs",
            "std::net",
            "std::io",
            "tokio",
            "Utc::now",
            "Local::now",
            "SystemTime",
            "Instant",
            "async ",
        ] {
            assert!(!code.contains(forbidden), "{} has {forbidden}", path.display());
        }
    }
}

#[test]
fn no_source_file_outgrows_a_readers_patience() {
    for (_, path, code) in rooms() {
        assert!(
            code.lines().count() <= LINES_MAX,
            "{} has {} lines",
            path.display(),
            code.lines().count()
        );
    }
}
