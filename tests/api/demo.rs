//! One command gives everything from nothing, and leaves nothing running.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{App, Ran, eventually, scratch, tickerd};

/// From the start of the process until `/health/ready` is 200, where the tables and the data are
/// there already.
const SECOND_START_MAX: Duration = Duration::from_secs(2);
/// Starts that are timed: a machine that is busy with other tests makes one slower, never faster.
const STARTS_TIMED_MAX: usize = 3;

fn command(dir: &Path) -> Command {
    let mut command = tickerd(&["demo", "--dir", dir.to_str().unwrap()]);
    // Its own group, as a shell gives it: signals are sent to the demo alone.
    command.process_group(0);
    command
}

/// The ports of the servers that run in a directory: those that are written down there and answer.
fn ports(dir: &Path) -> Vec<u16> {
    let postmaster =
        std::fs::read_to_string(dir.join("postgres/data/postmaster.pid")).unwrap_or_default();
    let redis = std::fs::read_to_string(dir.join("redis/redis.conf")).unwrap_or_default();
    let written =
        [postmaster.lines().nth(3), redis.lines().find_map(|line| line.strip_prefix("port "))];
    written
        .iter()
        .flatten()
        .map(|port| port.trim().parse().unwrap())
        .filter(|port| answers(*port))
        .collect()
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The keys that a demo printed, smallest tier first, and the URL and key of each of its curl
/// lines.
fn printed(app: &App) -> (Vec<String>, Vec<(String, String)>) {
    let lines = app.printed();
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let tiers = lines.iter().filter(|line| line.contains("requests a minute"));
    let keys: Vec<_> = tiers.map(|line| words(line).pop().unwrap()).collect();
    let mut curls = Vec::new();
    for line in lines.iter().filter(|line| line.contains("curl ")) {
        let quoted: Vec<_> = line.split('\'').collect();
        curls.push((
            quoted[3].to_owned(),
            quoted[1].strip_prefix("X-API-Key: ").unwrap().to_owned(),
        ));
    }
    (keys, curls)
}

/// Starts a demo until it is ready, and says how long that took.
async fn start(dir: &Path) -> (App, Duration) {
    let started = Instant::now();
    let app = App::start(command(dir)).await;
    (app, started.elapsed())
}

async fn status(app: &App, key: &str) -> u16 {
    app.get(key, "/api/stocks").await.status().as_u16()
}

#[tokio::test]
async fn what_it_prints_works_as_printed_and_it_stops_and_starts_again_fast() {
    let scratch = scratch();
    let dir = scratch.path().join("demo");
    let (mut app, took) = start(&dir).await;
    println!("first start of the demo: {} ms", took.as_millis());
    let (keys, curls) = printed(&app);
    assert_eq!((keys.len(), curls.len()), (3, 4), "{:?}", app.printed());
    for (key, limit) in keys.iter().zip(["100", "1000", "10000"]) {
        let answer = app.get(key, "/api/stocks/AAPL").await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-ratelimit-limit"].to_str().unwrap()),
            (200, limit)
        );
    }
    let mut bodies = Vec::new();
    for (url, key) in &curls {
        let path = url.strip_prefix(&app.url("")).expect("the printed URL is where it listens");
        let (status, body) = app.json(key, path).await;
        assert_eq!(status, 200, "{url}: {body}");
        bodies.push(body);
    }
    assert_eq!(bodies[0]["count"], 5);
    assert_eq!(bodies[1]["stock"]["id"], "AAPL");
    assert!(
        bodies[2]["prices"].as_array().unwrap().iter().all(|bar| bar["close"].is_f64()),
        "{}",
        bodies[2]
    );
    assert_eq!(
        (bodies[2]["count"].as_u64(), bodies[3]["symbol"].as_str()),
        (Some(20), Some("MSFT"))
    );
    let (_, ready) = app.json("", "/health/ready").await;
    assert!(ready.to_string().contains("redis"), "{ready}");

    let running = ports(&dir);
    assert_eq!(running.len(), 2, "Postgres and Redis run");
    let second = Ran::of(command(&dir).env("PORT", "0"));
    assert!(second.stderr.contains("is in use by another running tickerd"), "{second:?}");
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        (ports(&dir), status(&app, &keys[0]).await),
        (running.clone(), 200),
        "the first is not disturbed"
    );

    let mut fastest = Duration::MAX;
    for _ in 0..STARTS_TIMED_MAX {
        let running = ports(&dir);
        app.signal("TERM");
        assert_eq!(app.ended().await, Some(0));
        assert!(!running.into_iter().any(answers), "its servers have stopped before it ended");
        let (again, took) = start(&dir).await;
        println!("second start of the demo: {} ms", took.as_millis());
        (app, fastest) = (again, fastest.min(took));
        assert_eq!(status(&app, &keys[1]).await, 200, "a key of the first start is still valid");
        if fastest <= SECOND_START_MAX {
            break;
        }
    }
    assert!(fastest <= SECOND_START_MAX, "{fastest:?}");
    let (new, _) = printed(&app);
    assert!(
        new.len() == 3 && new.iter().all(|key| !keys.contains(key)),
        "each start has keys of its own"
    );
    app.signal("INT");
    assert_eq!(app.ended().await, Some(0), "Ctrl-C is an orderly end, too");
    assert!(ports(&dir).is_empty());
}

#[tokio::test]
async fn a_demo_that_is_killed_takes_its_servers_along_and_the_next_one_starts() {
    let scratch = scratch();
    let (mut app, _) = start(scratch.path()).await;
    let (keys, _) = printed(&app);
    let running = ports(scratch.path());
    assert_eq!(running.len(), 2);
    app.signal("KILL");
    assert_eq!(app.ended().await, None);
    let gone = async || !running.iter().any(|port| answers(*port));
    eventually("the servers end", Duration::from_secs(15), gone).await;
    let (mut next, _) = start(scratch.path()).await;
    assert_eq!(status(&next, &keys[0]).await, 200);
    next.signal("TERM");
    assert_eq!(next.ended().await, Some(0));
}

#[tokio::test]
async fn a_taken_port_is_told_at_once_and_costs_no_server() {
    let scratch = scratch();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = scratch.path().join("demo");
    let begun = Instant::now();
    let ran = Ran::of(command(&dir).env("PORT", &port));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(ran.sentence().contains(&port) && ran.sentence().contains("--port"), "{ran:?}");
    assert!(!dir.exists(), "nothing was begun");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named_in_a_sentence() {
    let scratch = scratch();
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Below a file: not even root can make that.
    for dir in [file.join("demo"), file] {
        let ran = Ran::of(command(&dir).env("PORT", "0"));
        assert!(
            ran.sentence().starts_with(&format!("the directory {} cannot be", dir.display())),
            "{ran:?}"
        );
    }
}

/// A directory for PATH with the programs that Postgres needs, and no Redis.
fn path_without_redis(parent: &Path) -> PathBuf {
    let bin = parent.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for program in ["sh", "rm", "postgres", "initdb"] {
        if let Some(found) =
            std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
        {
            symlink(found.canonicalize().unwrap(), bin.join(program)).unwrap();
        }
    }
    bin
}

#[tokio::test]
async fn without_a_redis_it_says_so_and_serves() {
    let scratch = scratch();
    let dir = scratch.path().join("demo");
    let mut without = command(&dir);
    without.env("PATH", path_without_redis(scratch.path()));
    let mut app = App::start(without).await;
    let said: Vec<_> =
        app.log().into_iter().filter(|line| line.contains("Going on without Redis")).collect();
    assert!(said.len() == 1 && said[0].contains("redis-server"), "{said:?}");
    let (keys, curls) = printed(&app);
    assert_eq!((keys.len(), curls.len()), (3, 4));
    let (status, body): (u16, Value) = app.json(&keys[0], "/api/stocks").await;
    assert_eq!((status, body["count"].as_u64()), (200, Some(5)));
    assert_eq!(ports(&dir).len(), 1, "Postgres runs");
    app.signal("TERM");
    assert_eq!(app.ended().await, Some(0));
    assert!(ports(&dir).is_empty());
}

/// Whoever runs an API of their own has these set.
#[tokio::test]
async fn a_demo_leaves_the_databases_alone_that_the_environment_names() {
    let scratch = scratch();
    let mut command = command(&scratch.path().join("demo"));
    for name in ["DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_READ_URL"] {
        command.env(name, "postgres://somebody@127.0.0.1:1/else");
    }
    command.env("DATABASE_POOLER", "transaction");
    let mut app = App::start(command).await;
    app.signal("INT");
    assert_eq!(app.ended().await, Some(0));
}
