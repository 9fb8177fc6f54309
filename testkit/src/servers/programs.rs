//! Finds the programs of installed servers.

use std::fs;
use std::path::PathBuf;

use super::LocalServerError;

/// The servers' names in messages.
pub(super) const POSTGRES: &str = "PostgreSQL";
pub(super) const REDIS: &str = "Redis";

/// Where packages install PostgreSQL: the parent directory, and the prefix before the major version
/// in the name of its entries. The programs are in `bin` below such an entry.
const VERSIONED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];

/// The directory with both `postgres` and `initdb`: the one on PATH, otherwise the newest version
/// that a package installed elsewhere, as Debian's packages do.
///
/// # Errors
///
/// [`LocalServerError::MissingProgram`] where neither exists.
pub fn installed_postgres() -> Result<PathBuf, LocalServerError> {
    let from_path = find_on_path("postgres").and_then(|file| Some(file.parent()?.to_path_buf()));
    from_path
        .filter(|bin| bin.join("initdb").is_file())
        .or_else(|| VERSIONED.iter().find_map(|(parent, prefix)| newest_bin(parent, prefix)))
        .ok_or(LocalServerError::MissingProgram {
            server: POSTGRES,
            binary: "postgres",
            install: "Debian, Ubuntu: `apt install postgresql`; \
                      macOS: `brew install postgresql@17`",
        })
}

pub(super) fn installed_redis() -> Result<PathBuf, LocalServerError> {
    ["redis-server", "valkey-server"].into_iter().find_map(find_on_path).ok_or(
        LocalServerError::MissingProgram {
            server: REDIS,
            binary: "redis-server",
            install: "Debian, Ubuntu: `apt install redis-server`; macOS: `brew install redis`",
        },
    )
}

fn newest_bin(parent: &str, prefix: &str) -> Option<PathBuf> {
    let versions = fs::read_dir(parent).ok()?.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
        let bin = entry.path().join("bin");
        let complete = ["postgres", "initdb"].iter().all(|name| bin.join(name).is_file());
        complete.then_some((version, bin))
    });
    versions.max().map(|(_, bin)| bin)
}

/// The first file called `name` in a directory of PATH.
fn find_on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|file| file.is_absolute() && file.is_file())
}
