//! Servers that end during their start, and ports that are taken.

use super::super::directory::ServerDir;
use super::super::process::{ServerCommand, error_line, free_port, start_on_free_port};
use super::super::programs::installed_postgres;
use super::super::{Durability, LocalPostgres, LocalRedis, LocalServerError};
use super::{Scratch, psql, redis_cli};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

/// A taken port, and a picker that returns it the first `times` times.
fn taken_port(times: usize) -> (TcpListener, impl FnMut() -> std::io::Result<u16>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let mut left = times;
    let pick = move || {
        if left == 0 {
            return free_port();
        }
        left -= 1;
        Ok(port)
    };
    (listener, pick)
}

#[test]
fn a_port_taken_since_the_check_is_replaced() {
    let scratch = Scratch::new();
    let (_listener, mut pick) = taken_port(1);
    let redis = LocalRedis::start_on(&scratch.0, &mut pick).expect("a start");
    assert_eq!(redis_cli(&redis.url(), &["ping"]), "PONG");
    let (_listener, mut pick) = taken_port(1);
    let bin = installed_postgres().expect("PostgreSQL is installed");
    let postgres = LocalPostgres::start_on(&bin, &scratch.0, Durability::Throwaway, &mut pick);
    assert_eq!(psql(&postgres.expect("a start").url(), "select 1"), "1");
}

#[test]
fn a_start_fails_after_several_taken_ports() {
    let scratch = Scratch::new();
    let (_listener, mut pick) = taken_port(usize::MAX);
    let error = LocalRedis::start_on(&scratch.0, &mut pick).err().expect("no start");
    assert!(matches!(error, LocalServerError::PortsTaken { .. }), "{error}");
}

#[test]
fn a_start_error_quotes_the_log_or_the_exit_status() {
    let scratch = Scratch::new();
    let dir = ServerDir::open(&scratch.0, "redis").expect("a directory");
    let log = dir.path.join("server.log");
    let start = |script: &str| {
        let command = |_| {
            Ok(ServerCommand {
                server: "Redis",
                program: Path::new("/bin/sh"),
                args: vec!["-c".into(), script.into()],
                log: log.clone(),
                signal: "TERM",
            })
        };
        let started = start_on_free_port(&dir, &mut free_port, command, |_, _| false);
        started.err().expect("no start").to_string()
    };
    let error = start("echo bad directive; exit 1");
    assert!(error.contains("before it was ready: bad directive (its"), "{error}");
    let error = start("kill -s KILL $$");
    assert!(error.contains("Killed") || error.contains("exit status: 137"), "{error}");
}

#[test]
fn the_error_line_is_the_last_error_or_the_last_line() {
    let scratch = Scratch::new();
    let log = scratch.join("log");
    let of = |text: &str| {
        fs::write(&log, text).expect("a log");
        error_line(&log, ExitStatus::from_raw(1 << 8))
    };
    assert_eq!(of("UTC [1] FATAL:  no room\nLOG: is shut down\n"), "FATAL:  no room");
    assert_eq!(of("one\ntwo\n\n"), "two");
    assert_eq!(of(""), "exit status: 1");
}

#[test]
fn a_start_error_quotes_a_server_that_rejects_its_data() {
    let scratch = Scratch::new();
    drop(LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start"));
    fs::write(scratch.join("postgres/data/PG_VERSION"), "9.6\n").expect("another version");
    let error = LocalPostgres::start(&scratch.0, Durability::Throwaway).err().expect("no start");
    println!("{error}");
    assert!(matches!(error, LocalServerError::StartFailed { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("database files are incompatible with server"), "{text}");
    assert!(text.contains("postgres/server.log"), "{text}");
}
