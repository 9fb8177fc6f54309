//! Replacing the binary drops no connection if the socket outlives the process. In production
//! systemd holds it (deploy/); here this test does.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::TcpStream;

use crate::support::{App, Database, get, scratch, send_request};

const RESTARTS: usize = 5;
/// The pause of each client between its requests: from none to nearly the time that a client may
/// stay silent (DRAIN_MS).
const PAUSES_MS: [u64; 12] = [0, 0, 0, 0, 1, 2, 5, 10, 50, 100, 400, 800];
/// The longest that a request may take, restart included.
const SLOWEST_MAX: Duration = Duration::from_secs(10);

/// A server that inherits its socket as systemd passes it: as file 3, with LISTEN_PID set.
async fn activated(database: &Database, socket: &TcpListener) -> App {
    let serve = database.tickerd(&["serve"]);
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\"",
    ]);
    command.arg(serve.get_program()).args(serve.get_args()).env_clear();
    command.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    App::start(command).await
}

/// A client that keeps its connection open as long as it can and never retries.
async fn send_until_stopped(
    address: String,
    key: String,
    pause: Duration,
    stop: &AtomicBool,
    answered: &AtomicU32,
) -> Duration {
    let request = get("/api/stocks/AAPL", &key);
    let (mut connection, mut slowest) = (None, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&address).await.expect("the socket accepts connections"),
        };
        let reply = tokio::time::timeout(SLOWEST_MAX, send_request(&mut stream, &request))
            .await
            .expect("a response in time");
        let reply = reply.expect("a response instead of a closed connection");
        assert_eq!(reply.status, 200, "{}", reply.head);
        connection = (!reply.closes()).then_some(stream);
        slowest = slowest.max(started.elapsed());
        answered.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(pause).await;
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_restarts_under_load_fail_no_request() {
    let database = Database::sample().await;
    let tier = "INSERT INTO tiers VALUES ('most', 10000000)";
    database.connect().await.batch_execute(tier).await.unwrap();
    let key = database.issue("most");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let mut app = activated(&database, &socket).await;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let clients: Vec<_> = PAUSES_MS
        .iter()
        .map(|pause_ms| {
            let (address, key, stop, answered) =
                (address.clone(), key.clone(), stop.clone(), answered.clone());
            let pause = Duration::from_millis(*pause_ms);
            tokio::spawn(
                async move { send_until_stopped(address, key, pause, &stop, &answered).await },
            )
        })
        .collect();
    for _ in 0..RESTARTS {
        let before = answered.load(Ordering::Relaxed);
        app.signal("TERM");
        assert_eq!(app.wait_for_exit().await, Some(0));
        app = activated(&database, &socket).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(answered.load(Ordering::Relaxed) > before + 100, "the load goes on");
    }
    stop.store(true, Ordering::Relaxed);
    let slowest = join_all(clients)
        .await
        .into_iter()
        .map(|client| client.expect("no request failed"))
        .max()
        .unwrap();
    println!(
        "{} requests over {RESTARTS} restarts, 0 failed, the slowest took {slowest:?}",
        answered.load(Ordering::Relaxed)
    );
}

#[tokio::test]
async fn the_service_manager_is_notified_of_start_and_stop() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let path = scratch.path().join("notify");
    let notifications = UnixDatagram::bind(&path).unwrap();
    notifications.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut app =
        App::with(&database, &[("NOTIFY_SOCKET", path.to_str().unwrap()), ("DRAIN_MS", "0")]).await;
    let next = || {
        let mut message = [0; 64];
        let length = notifications.recv(&mut message).expect("a notification");
        String::from_utf8_lossy(&message[..length]).trim().to_owned()
    };
    assert_eq!(next(), "READY=1");
    app.signal("TERM");
    assert_eq!(next(), "STOPPING=1");
    assert_eq!(app.wait_for_exit().await, Some(0));
}

#[tokio::test]
async fn a_passed_file_that_is_not_a_socket_is_one_error_line() {
    let database = Database::sample().await;
    let serve = database.tickerd(&["serve"]);
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" serve"]);
    command.arg(serve.get_program()).env("DATABASE_URL", database.url());
    let output = crate::support::CommandOutput::of(&mut command);
    assert!(output.error_line().contains("tickerd.socket"), "{output:?}");
}
