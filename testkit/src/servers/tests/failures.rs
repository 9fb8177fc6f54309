//! Starts that fail.

use super::super::directory::ServerDir;
use super::super::postgres::data;
use super::super::{LocalRedis, LocalServerError, choose_dir};
use super::{Scratch, am_root, test_name};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

#[test]
fn an_init_error_quotes_initdb() {
    let scratch = Scratch::new();
    let dir = ServerDir::open(&scratch.0, "postgres").expect("a directory");
    let program = dir.path.join("initdb");
    let script =
        "#!/bin/sh\necho 'initdb: error: no space' >&2\necho 'removing data' >&2\nexit 1\n";
    fs::write(&program, script).expect("a program");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("executable");
    let data = dir.path.join("data");
    let password = dir.path.join("password");
    let error = data::create(&dir, &program, &data, &password).expect_err("no database");
    println!("{error}");
    assert!(matches!(error, LocalServerError::InitFailed { .. }), "{error}");
    assert!(error.to_string().contains("error: no space"), "{error}");
    assert!(!data.exists());
}

#[test]
fn a_directory_below_a_file_or_without_permission_is_not_writable() {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), "").expect("a file");
    let error = choose_dir(&scratch.join("file/.tickerd")).expect_err("no directory");
    println!("{error}");
    assert!(matches!(error, LocalServerError::NotWritable { .. }), "{error}");
    if !am_root() {
        let closed = scratch.join("closed");
        fs::create_dir(&closed).expect("a directory");
        fs::set_permissions(&closed, Permissions::from_mode(0o500)).expect("closed");
        for wanted in [closed.join(".tickerd"), closed] {
            let error = choose_dir(&wanted).expect_err("no directory");
            println!("{error}");
            assert!(matches!(error, LocalServerError::NotWritable { .. }), "{error}");
        }
    }
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    if !am_root() {
        return;
    }
    let scratch = Scratch::new();
    let redis = scratch.join("redis");
    fs::create_dir(&redis).expect("a directory");
    chown(&redis, Some(12_345), None).expect("another owner");
    let error = LocalRedis::start(&scratch.0).err().expect("no start");
    println!("{error}");
    assert!(matches!(error, LocalServerError::WrongOwner { owner: 12_345, .. }), "{error}");
}

const NO_PATH_DIR: &str = "TICKERD_TEST_NO_PATH_DIR";

/// Helper process of the test below. Runs with an empty PATH.
#[test]
fn without_path() {
    let Some(dir) = std::env::var_os(NO_PATH_DIR) else {
        return;
    };
    let error = LocalRedis::start(Path::new(&dir)).err().expect("no start");
    println!("{error}");
    assert!(matches!(error, LocalServerError::MissingProgram { server: "Redis", .. }), "{error}");
    assert!(error.to_string().contains("apt install redis-server"), "{error}");
}

#[test]
fn a_missing_program_error_says_what_to_install() {
    let scratch = Scratch::new();
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    command.args(["--exact", &test_name(module_path!(), "without_path"), "--nocapture"]);
    let output = command.env(NO_PATH_DIR, &scratch.0).env("PATH", "/nonexistent").output();
    let output = output.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
