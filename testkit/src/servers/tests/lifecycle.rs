//! Starting, using and stopping the servers.

use super::super::{Durability, LocalPostgres, LocalRedis, LocalServerError, choose_dir};
use super::{Scratch, address, am_root, is_alive, psql, redis_cli, redis_cli_as, refuses};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

const SECOND_START_MS: u128 = 1500;

#[test]
fn postgres_starts_keeps_its_data_and_starts_again_fast() {
    let scratch = Scratch::new();
    let first = LocalPostgres::start(&scratch.0, Durability::Durable).expect("a first start");
    let sql = "create table kept (n int); insert into kept values (42)";
    assert_eq!(psql(&first.url(), sql), "");
    let (old_url, pid) = (first.url(), first.pid());
    first.stop().expect("a stop");
    assert!(refuses(&old_url));
    assert!(!is_alive(pid));

    let begin = Instant::now();
    let second = LocalPostgres::start(&scratch.0, Durability::Durable).expect("a second start");
    let took = begin.elapsed().as_millis();
    println!("second start: {took} ms");
    assert_eq!(psql(&second.url(), "select n from kept"), "42");
    assert!(took < SECOND_START_MS, "the second start took {took} ms");
}

#[test]
fn postgres_has_the_settings_of_its_durability() {
    let scratch = Scratch::new();
    let show = |server: &LocalPostgres, name| psql(&server.url(), &format!("show {name}"));
    let server = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    assert_eq!(show(&server, "fsync"), "off");
    assert_eq!(show(&server, "max_connections"), "300");
    assert_eq!(show(&server, "server_encoding"), "UTF8");
    assert_eq!(show(&server, "listen_addresses"), "127.0.0.1");
    drop(server);
    let server = LocalPostgres::start(&scratch.0, Durability::Durable).expect("a start");
    assert_eq!(show(&server, "fsync"), "on");
    assert_eq!(show(&server, "synchronous_commit"), "on");
}

#[test]
fn redis_starts_answers_and_stops() {
    let scratch = Scratch::new();
    let server = LocalRedis::start(&scratch.0).expect("a start");
    assert_eq!(redis_cli(&server.url(), &["set", "a", "1"]), "OK");
    assert_eq!(redis_cli(&server.url(), &["get", "a"]), "1");
    let policy = redis_cli(&server.url(), &["config", "get", "maxmemory-policy"]);
    assert_eq!(policy, "maxmemory-policy\nvolatile-lru");
    let (url, pid) = (server.url(), server.pid());
    drop(server);
    assert!(refuses(&url));
    assert!(!is_alive(pid));
    let again = LocalRedis::start(&scratch.0).expect("a second start");
    assert_ne!(again.url(), url, "the password is new");
}

#[test]
fn both_require_a_password_that_other_users_cannot_read() {
    let scratch = Scratch::new();
    let postgres = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    let redis = LocalRedis::start(&scratch.0).expect("a start");
    let wrong = format!("postgres://tickerd:wrong@{}/postgres", address(&postgres.url()));
    assert!(psql(&wrong, "select 1").contains("password authentication failed"));
    assert!(redis_cli_as("", &redis.url(), &["ping"]).contains("NOAUTH"));
    assert!(redis_cli_as("wrong", &redis.url(), &["ping"]).contains("NOAUTH"));
    let mode = |path| fs::metadata(scratch.join(path)).expect("it exists").mode() & 0o777;
    assert_eq!(mode("postgres/password"), 0o600);
    assert_eq!(mode("redis/redis.conf"), 0o600);
    assert_eq!((mode("postgres"), mode("redis")), (0o700, 0o700));
}

#[test]
fn a_fast_shutdown_does_not_wait_for_clients() {
    let scratch = Scratch::new();
    let server = LocalPostgres::start(&scratch.0, Durability::Throwaway).expect("a start");
    let url = server.url();
    let client = std::thread::spawn(move || psql(&url, "select 'begun', pg_sleep(100)"));
    let busy = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    super::eventually("the client's query runs", || psql(&server.url(), busy) == "1");
    let begin = Instant::now();
    server.stop().expect("a stop");
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(client.join().expect("the client ends").contains("terminating connection"));
}

#[test]
fn a_directory_is_used_by_one_process_at_a_time() {
    let scratch = Scratch::new();
    let redis = LocalRedis::start(&scratch.0).expect("a start");
    let second = LocalRedis::start(&scratch.0).err().expect("no second start");
    assert!(matches!(second, LocalServerError::InUse { .. }), "{second}");
    let chosen = choose_dir(&scratch.0).expect_err("not to be chosen");
    assert!(matches!(chosen, LocalServerError::InUse { .. }), "{chosen}");
    assert_eq!(redis_cli(&redis.url(), &["ping"]), "PONG", "the first is unharmed");
    redis.stop().expect("a stop");
    assert_eq!(choose_dir(&scratch.0).expect("free again"), scratch.0);
}

#[test]
fn a_long_path_with_spaces_and_quotes_works() {
    let scratch = Scratch::new();
    let dir = scratch.join(&format!("it's \"long\" $HOME \\ {}", "x".repeat(120)));
    let dir = choose_dir(&dir).expect("a directory");
    let postgres = LocalPostgres::start(&dir, Durability::Throwaway).expect("a start");
    assert_eq!(psql(&postgres.url(), "select 1"), "1");
    let redis = LocalRedis::start(&dir).expect("a start");
    assert_eq!(redis_cli(&redis.url(), &["ping"]), "PONG");
}

#[test]
fn a_directory_that_the_servers_user_cannot_enter_is_replaced() {
    if !am_root() {
        return;
    }
    let scratch = Scratch::new();
    let closed = scratch.join("closed");
    DirBuilder::new().mode(0o700).create(&closed).expect("a closed directory");
    let wanted = closed.join("clone/.tickerd");
    let chosen = Scratch(choose_dir(&wanted).expect("another directory"));
    assert!(chosen.0.starts_with("/var/tmp"), "{}", chosen.0.display());
    assert_eq!(choose_dir(&wanted).expect("the same again"), chosen.0);
    assert!(!Path::new(&wanted).exists());
    let redis = LocalRedis::start(&chosen.0).expect("a start there");
    assert_eq!(redis_cli(&redis.url(), &["ping"]), "PONG");

    let direct = LocalRedis::start(&wanted).err().expect("no start without choosing");
    assert!(matches!(direct, LocalServerError::NotReachable { .. }), "{direct}");
}
