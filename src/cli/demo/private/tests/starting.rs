//! Servers that end early, and ports that are taken.

use super::super::guard::Launch;
use super::super::launch::{free_port, on_free_port, telling_line};
use super::super::place;
use super::super::{Durability, PrivateError, PrivatePostgres, PrivateRedis};
use super::{Scratch, psql, redis_cli};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

/// A port that somebody holds, and a picker that offers it `times` times.
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
fn a_port_taken_meanwhile_is_replaced_by_another() {
    let scratch = Scratch::new();
    let (_listener, mut pick) = taken_port(1);
    let redis = PrivateRedis::start_on(&scratch.0, &mut pick).expect("a start");
    assert_eq!(redis_cli(&redis.url(), &["ping"]), "PONG");
    let (_listener, mut pick) = taken_port(1);
    let postgres = PrivatePostgres::start_on(&scratch.0, Durability::Throwaway, &mut pick);
    assert_eq!(psql(&postgres.expect("a start").url(), "select 1"), "1");
}

#[test]
fn ports_that_are_always_taken_are_given_up() {
    let scratch = Scratch::new();
    let (_listener, mut pick) = taken_port(usize::MAX);
    let error = PrivateRedis::start_on(&scratch.0, &mut pick).err().expect("no start");
    assert!(matches!(error, PrivateError::PortsTaken { .. }), "{error}");
}

#[test]
fn a_server_that_ends_early_is_quoted_or_has_its_status_told() {
    let scratch = Scratch::new();
    let home = place::Home::open(&scratch.0, "redis").expect("a directory");
    let log = home.dir.join("server.log");
    let start = |script: &str| {
        let launch = |_| {
            Ok(Launch {
                server: "Redis",
                program: Path::new("/bin/sh"),
                args: vec!["-c".into(), script.into()],
                log: log.clone(),
                signal: "TERM",
            })
        };
        let started = on_free_port(&home, &mut free_port, launch, |_, _| false);
        started.err().expect("no start").to_string()
    };
    let error = start("echo bad directive; exit 1");
    assert!(error.contains("before it was ready: bad directive (its"), "{error}");
    let error = start("kill -s KILL $$");
    assert!(error.contains("Killed") || error.contains("exit status: 137"), "{error}");
}

#[test]
fn the_telling_line_is_the_last_error_or_the_last_line() {
    let scratch = Scratch::new();
    let log = scratch.join("log");
    let of = |text: &str| {
        fs::write(&log, text).expect("a log");
        telling_line(&log, ExitStatus::from_raw(1 << 8))
    };
    assert_eq!(of("UTC [1] FATAL:  no room\nLOG: is shut down\n"), "FATAL:  no room");
    assert_eq!(of("one\ntwo\n\n"), "two");
    assert_eq!(of(""), "exit status: 1");
}

#[test]
fn a_server_that_refuses_its_data_is_quoted() {
    let scratch = Scratch::new();
    drop(PrivatePostgres::start(&scratch.0, Durability::Throwaway).expect("a start"));
    fs::write(scratch.join("postgres/data/PG_VERSION"), "9.6\n").expect("another version");
    let error = PrivatePostgres::start(&scratch.0, Durability::Throwaway).err().expect("no start");
    println!("{error}");
    assert!(matches!(error, PrivateError::StartFailed { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("database files are incompatible with server"), "{text}");
    assert!(text.contains("postgres/server.log"), "{text}");
}
