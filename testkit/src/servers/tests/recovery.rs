//! Starts after an earlier run that did not end in order.

use super::super::{Durability, LocalPostgres, LocalRedis, process, programs};
use super::{Process, Scratch, eventually, psql, redis_cli, refuses};
use std::fs;
use std::path::Path;

#[test]
fn servers_without_a_supervisor_are_stopped_first() {
    let scratch = Scratch::new();
    let postgres = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    let redis = LocalRedis::start(&scratch.0).expect("a start");
    let postgres_bin = programs::installed_postgres().expect("it runs").join("postgres");
    let redis_bin = programs::installed_redis().expect("it runs");
    let old_redis_url = redis.url();
    drop((postgres, redis));

    let data = scratch.join("postgres/data");
    let port = format!("port={}", process::free_port().expect("a free port"));
    let data_arg = data.to_str().expect("UTF-8");
    let args = ["-D", data_arg, "-c", "unix_socket_directories=", "-c", &port];
    let mut old_postgres = Process::in_dir(&postgres_bin, &args, &scratch.join("postgres"));
    let mut old_redis = Process::in_dir(&redis_bin, &["redis.conf"], &scratch.join("redis"));
    let pid_file = data.join("postmaster.pid");
    eventually("the old PostgreSQL runs", || {
        fs::read_to_string(&pid_file).is_ok_and(|text| text.contains("ready"))
    });
    eventually("the old Redis runs", || !refuses(&old_redis_url));

    let postgres = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    let redis = LocalRedis::start(&scratch.0).expect("a start");
    eventually("the old PostgreSQL has ended", || !old_postgres.is_running());
    eventually("the old Redis has ended", || !old_redis.is_running());
    assert_eq!(psql(&postgres.url(), "select 1"), "1");
    assert_eq!(redis_cli(&redis.url(), &["ping"]), "PONG");
}

#[test]
fn an_unrelated_process_in_a_stale_pid_file_is_not_stopped() {
    let scratch = Scratch::new();
    let server = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    let pid_file = scratch.join("postgres/data/postmaster.pid");
    let text = fs::read_to_string(&pid_file).expect("the server's pid file");
    let rest = text.split_once('\n').expect("more than one line").1.to_string();
    drop(server);
    // The process runs in the data directory as the same user, but is not the server.
    let data = scratch.join("postgres/data");
    let mut unrelated = Process::in_dir(Path::new("sleep"), &["600"], &data);
    fs::write(&pid_file, format!("{}\n{rest}", unrelated.0.id())).expect("a stale pid file");

    let server = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    assert_eq!(psql(&server.url(), "select 1"), "1");
    assert!(unrelated.is_running());
}

#[test]
fn an_unrelated_redis_on_the_old_port_is_not_stopped() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let unrelated = LocalRedis::start(&other.0).expect("a start");
    let port = unrelated.url();
    let port = port.rsplit([':', '/']).nth(1).expect("a port");
    drop(LocalRedis::start(&scratch.0).expect("a start"));
    let conf = scratch.join("redis/redis.conf");
    fs::write(&conf, format!("port {port}\nrequirepass other\n")).expect("an old conf");
    let server = LocalRedis::start(&scratch.0).expect("a start");
    assert_eq!(redis_cli(&server.url(), &["ping"]), "PONG");
    assert_eq!(redis_cli(&unrelated.url(), &["ping"]), "PONG");
}

#[test]
fn an_unfinished_data_directory_or_an_empty_pid_file_is_replaced() {
    let scratch = Scratch::new();
    drop(LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start"));
    let data = scratch.join("postgres/data");
    fs::rename(&data, scratch.join("postgres/data.unfinished.x")).expect("a rename");
    let server = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    assert_eq!(psql(&server.url(), "select 1"), "1");
    assert!(!scratch.join("postgres/data.unfinished.x").exists());
    drop(server);
    fs::write(data.join("postmaster.pid"), "").expect("an empty pid file");
    let server = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    assert_eq!(psql(&server.url(), "select 1"), "1");
}
