//! The process that started the servers is killed.

use super::super::{Durability, LocalPostgres, LocalRedis};
use super::{Process, Scratch, eventually, is_alive, psql, redis_cli, refuses, test_name};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const HOLDER_DIR: &str = "TICKERD_TEST_HOLDER_DIR";

/// Helper process that other tests start and kill.
#[test]
fn holder() {
    let Some(dir) = std::env::var_os(HOLDER_DIR) else {
        return;
    };
    let postgres = LocalPostgres::start(Path::new(&dir), Durability::Throwaway);
    let postgres = postgres.expect("a start");
    let redis = LocalRedis::start(Path::new(&dir)).expect("a start");
    println!("\n{} {} {} {} up", postgres.url(), postgres.pid(), redis.url(), redis.pid());
    loop {
        std::thread::park();
    }
}

struct Holder {
    process: Process,
    urls: [String; 2],
    pids: [u32; 2],
}

fn spawn_holder(dir: &Path) -> Process {
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    command.args(["--exact", &test_name(module_path!(), "holder"), "--nocapture"]);
    command.env(HOLDER_DIR, dir).stdout(Stdio::piped());
    Process(command.spawn().expect("the holder starts"))
}

fn start_holder(dir: &Path) -> Holder {
    let mut process = spawn_holder(dir);
    let output = BufReader::new(process.0.stdout.take().expect("its output is piped"));
    let mut lines = output.lines().map_while(Result::ok);
    let line = lines.find(|line| line.ends_with(" up")).expect("the holder is up");
    let words: Vec<_> = line.split(' ').map(str::to_string).collect();
    let pid = |index: usize| words[index].parse().expect("a process number");
    Holder { process, urls: [words[0].clone(), words[2].clone()], pids: [pid(1), pid(3)] }
}

#[test]
fn the_servers_end_when_their_holder_is_killed() {
    let scratch = Scratch::new();
    let mut holder = start_holder(&scratch.0);
    assert_eq!(psql(&holder.urls[0], "select 1"), "1");
    assert_eq!(redis_cli(&holder.urls[1], &["ping"]), "PONG");
    holder.process.0.kill().expect("SIGKILL");
    eventually("both ports refuse", || holder.urls.iter().all(|url| refuses(url)));
    eventually("both processes are gone", || !holder.pids.iter().any(|pid| is_alive(*pid)));
    eventually("PostgreSQL has shut down in order", || {
        !scratch.join("postgres/data/postmaster.pid").exists()
    });
}

#[test]
fn the_supervisor_ignores_the_signals_of_a_terminal() {
    let scratch = Scratch::new();
    let server = LocalRedis::start(&scratch.0).expect("a start");
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("its parent");
    for signal in ["HUP", "INT", "TERM"] {
        let script = format!("kill -s {signal} {parent}");
        assert!(Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell").success());
    }
    assert_eq!(redis_cli(&server.url(), &["ping"]), "PONG");
    let url = server.url();
    server.stop().expect("a stop");
    assert!(refuses(&url));
}

#[test]
fn a_start_right_after_the_holder_was_killed_works() {
    let scratch = Scratch::new();
    let mut holder = start_holder(&scratch.0);
    psql(&holder.urls[0], "create table kept (n int); insert into kept values (7)");
    holder.process.0.kill().expect("SIGKILL");
    holder.process.0.wait().expect("it has ended");
    let postgres = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    let redis = LocalRedis::start(&scratch.0).expect("a start");
    assert_eq!(psql(&postgres.url(), "select n from kept"), "7");
    assert_eq!(redis_cli(&redis.url(), &["ping"]), "PONG");
}

#[test]
fn a_start_right_after_the_holder_was_killed_during_initdb_works() {
    let scratch = Scratch::new();
    let mut holder = spawn_holder(&scratch.0);
    eventually("initdb has begun", || {
        let mut entries = fs::read_dir(scratch.join("postgres")).into_iter().flatten().flatten();
        entries.any(|entry| entry.path().join("base").exists())
    });
    holder.0.kill().expect("SIGKILL");
    holder.0.wait().expect("it has ended");
    let server = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    assert_eq!(psql(&server.url(), "select 1"), "1");
}
