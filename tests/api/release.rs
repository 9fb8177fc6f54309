//! A release archive holds what a server needs, and its checksum is right.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::tickerd;

/// Any target will do: a given binary is packed as it is.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// Files that the archive must hold, below its one folder.
const FILES: [&str; 19] = [
    "tickerd",
    "README.md",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    ".env.example",
    "deploy/README.md",
    "deploy/tickerd.service",
    "deploy/tickerd.socket",
    "deploy/nginx.conf",
    "deploy/Caddyfile",
    "deploy/backup",
    "deploy/restore",
    "deploy/roles.sql",
    "completions/tickerd.bash",
    "completions/_tickerd",
    "completions/tickerd.fish",
    "man/man1/tickerd.1",
    "man/man1/tickerd-serve.1",
];

/// Runs a command that has to succeed, and returns its stdout.
fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Packs a stand-in for the binary into `dir` and returns the name of the archive.
fn pack(dir: &Path) -> String {
    let binary = dir.join("stand-in");
    // It must be small, and write what the binary writes.
    let script = format!(
        "#!/bin/sh\ncase ${{1:-}} in completions|man) exec {} \"$@\" ;; esac\n\
         echo tickerd stand-in\n",
        tickerd(&[]).get_program().display()
    );
    std::fs::write(&binary, script).unwrap();
    std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o700)).unwrap();
    let mut script = Command::new("deploy/release-archive");
    script.args([TARGET, binary.to_str().unwrap()]).env("RELEASE_DIR", dir);
    let archive = succeed(&mut script);
    archive.strip_prefix(&format!("{}/", dir.display())).expect("it is in RELEASE_DIR").to_owned()
}

#[test]
fn a_release_archive_holds_the_binary_licences_documents_and_units_under_its_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let archive = pack(dir.path());
    let name = format!("tickerd-{}-{TARGET}", env!("CARGO_PKG_VERSION"));
    assert_eq!(archive, format!("{name}.tar.gz"));
    let checksum = format!("{archive}.sha256");
    succeed(Command::new("sha256sum").args(["--check", &checksum]).current_dir(&dir));
    succeed(Command::new("tar").args(["-xzf", &archive]).current_dir(&dir));
    let unpacked = dir.path().join(&name);
    for file in FILES {
        assert!(unpacked.join(file).is_file(), "{file} is missing");
    }
    let mode = |file: &str| unpacked.join(file).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("tickerd"), mode("deploy/backup"), mode("README.md")), (0o755, 0o755, 0o644));
    assert_eq!(succeed(&mut Command::new(unpacked.join("tickerd"))), "tickerd stand-in");
}

#[test]
fn the_same_commit_and_binary_give_the_same_archive() {
    let packed = [(); 2].map(|()| {
        let dir = tempfile::tempdir().unwrap();
        let archive = pack(dir.path());
        std::fs::read(dir.path().join(archive)).unwrap()
    });
    assert!(packed[0] == packed[1]);
}
