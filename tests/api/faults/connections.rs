//! Postgres is up, but its connections are too few, slow, silent or read-only.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_postgres::Client;

use super::fixtures::{distinct_paths, issue_unlimited};
use crate::support::{
    App, Database, Fault, Load, Postgres, Proxy, eventually, get, header, id_of, record, scratch,
    send_request,
};

const LISTS: &str = "/api/watchlists";
const QUOTE: &str = "/api/stocks/AAPL/quote";
/// A margin for a machine that runs all tests at once.
const SLACK: Duration = Duration::from_millis(800);

/// The status of a response, its `Retry-After`, and how long it took.
async fn timed_get(app: &App, key: &str, path: &str) -> (u16, String, Duration) {
    let started = Instant::now();
    let response = app.get(key, path).await;
    (response.status().as_u16(), header(&response, "retry-after").to_owned(), started.elapsed())
}

/// Ends all connections of tickerd to a database.
async fn end_connections(operator: &Client) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'tickerd' AND datname = current_database()";
    operator.execute(end, &[]).await.unwrap();
}

#[tokio::test]
async fn a_database_that_wakes_up_delays_the_first_request_and_fails_none() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let key = issue_unlimited(&database).await;
    let app = App::with(&Database::at(&proxy.url()), &[]).await;
    assert_eq!(timed_get(&app, &key, QUOTE).await.0, 200);
    let wakes_up = Duration::from_millis(500);
    let mut slowest = Duration::ZERO;
    for path in distinct_paths(5) {
        // A sleeping database accepts connections at once but stays silent until it is awake.
        proxy.set(Fault::Stall);
        end_connections(&database.connect().await).await;
        let awake = async {
            tokio::time::sleep(wakes_up).await;
            proxy.set(Fault::None);
        };
        let ((status, _, took), ()) = tokio::join!(timed_get(&app, &key, &path), awake);
        assert_eq!(status, 200, "{path}");
        assert!(took < wakes_up + SLACK, "{took:?}");
        slowest = slowest.max(took);
    }
    let figures = format!("5 of 5 answered 200, the slowest after {} ms", slowest.as_millis());
    record("a_database_that_wakes_up_delays_the_first_request_and_fails_none", &figures);
}

#[tokio::test]
async fn an_exhausted_pool_refuses_requests_in_time_and_cached_responses_continue() {
    let database = Database::sample().await;
    let bounds = [
        ("DATABASE_CONNECTIONS_MAX", "4"),
        ("DATABASE_QUEUE_MAX", "8"),
        ("DATABASE_WAIT_TIMEOUT_MS", "2000"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "4000"),
    ];
    let key = issue_unlimited(&database).await;
    let app = App::with(&database, &bounds).await;
    for path in [QUOTE, LISTS] {
        assert_eq!(timed_get(&app, &key, path).await.0, 200);
    }
    let operator = database.connect().await;
    operator.batch_execute("BEGIN; LOCK watchlists").await.unwrap();
    let (held, cached) =
        tokio::join!(join_all((0..40).map(|_| timed_get(&app, &key, LISTS))), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut cached = Vec::new();
            for _ in 0..50 {
                cached.push(timed_get(&app, &key, QUOTE).await);
            }
            cached
        });
    assert!(cached.iter().all(|(status, ..)| *status == 200));
    assert!(
        held.iter().all(|(status, retry, _)| (*status, retry.as_str()) == (503, "1")),
        "{held:?}"
    );
    let within = |low_ms: u64, high_ms: u64| {
        let (low, high) = (Duration::from_millis(low_ms), Duration::from_millis(high_ms));
        held.iter().filter(|(.., took)| (low..high).contains(took)).count()
    };
    // 4 requests hold a connection until their statement times out, 8 wait for one, and 28 find the
    // queue full. The server's own poll for changes uses a connection of its own. The gaps between
    // these times exceed the delays of a busy machine.
    let at_once = within(0, 1900);
    let waited = within(1900, 3900);
    let ran = within(3900, 8000);
    assert!(
        (26..=30).contains(&at_once) && at_once + waited + ran == 40 && ran >= 3,
        "{at_once}, {waited}, {ran}"
    );
    operator.batch_execute("ROLLBACK").await.unwrap();
    let back = async || timed_get(&app, &key, LISTS).await.0 == 200;
    let back = eventually("requests succeed", Duration::from_secs(1), back).await;
    let slowest = cached.iter().map(|(.., took)| *took).max().unwrap();
    let figures = format!(
        "{at_once} refused at once, {waited} after the wait, {ran} after their statement's \
         time-out, all 503; 50 cached ones 200, the slowest after {} ms; back after {} ms",
        slowest.as_millis(),
        back.as_millis()
    );
    record("an_exhausted_pool_refuses_requests_in_time_and_cached_responses_continue", &figures);
}

#[tokio::test]
async fn a_revocation_is_applied_within_a_second_while_all_connections_are_busy() {
    let database = Database::sample().await;
    // Statements outlast the wait for a connection, so every request behind the flood times out.
    let bounds = [
        ("DATABASE_CONNECTIONS_MAX", "4"),
        ("DATABASE_QUEUE_MAX", "16"),
        ("DATABASE_WAIT_TIMEOUT_MS", "1000"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "8000"),
    ];
    let (flooding, revoked) = (issue_unlimited(&database).await, database.issue("pro"));
    let app = App::with(&database, &bounds).await;
    for (key, path) in [(&flooding, LISTS), (&revoked, QUOTE), (&revoked, QUOTE)] {
        assert_eq!(timed_get(&app, key, path).await.0, 200);
    }
    let operator = database.connect().await;
    operator.batch_execute("BEGIN; LOCK watchlists").await.unwrap();
    let flood = Load::new(&[&app], &[&flooding], &[LISTS]).clients(32).start();
    database.wait_for_connections(4, "wait_event_type = 'Lock'").await;
    assert_eq!(
        timed_get(&app, &revoked, QUOTE).await.0,
        200,
        "the key and the response are cached"
    );
    let output = database.run(&["keys", "revoke", id_of(&revoked), "--yes"]);
    assert!(output.status.success(), "{output:?}");
    // The server can't read the row again before the flood is over. Until then it only knows that
    // the key changed.
    let refused = async || timed_get(&app, &revoked, QUOTE).await.0 == 503;
    // One second, and the time that the request itself waits for a connection.
    let within = Duration::from_secs(1 + 1) + SLACK;
    let took = eventually("the key is refused", within, refused).await;
    let ready = app.get("", "/health/ready").await;
    let status = ready.status();
    let body = ready.text().await.unwrap();
    assert!(status == 200 && body.contains("\"changes\":\"followed\""), "{status} {body}");
    operator.batch_execute("ROLLBACK").await.unwrap();
    flood.stop();
    let unauthorized = async || timed_get(&app, &revoked, QUOTE).await.0 == 401;
    eventually("the key gets 401", Duration::from_secs(2), unauthorized).await;
    record(
        "a_revocation_is_applied_within_a_second_while_all_connections_are_busy",
        &format!("refused {} ms after the command, 401 once the flood was over", took.as_millis()),
    );
}

#[tokio::test]
async fn every_readiness_probe_is_answered_in_time_while_postgres_hangs() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let app = App::with(&Database::at(&proxy.url()), &[]).await;
    let ready = || timed_get(&app, "", "/health/ready");
    assert_eq!(ready().await.0, 200);
    proxy.set(Fault::Stall);
    eventually("the failure is noticed", Duration::from_secs(2), async || ready().await.0 == 503)
        .await;
    // All probes share a result for 200 ms. These come later and need a new one.
    tokio::time::sleep(Duration::from_millis(250)).await;
    let probes = join_all((0..200).map(|_| ready())).await;
    let slowest = probes.iter().map(|(.., took)| *took).max().unwrap();
    assert!(probes.iter().all(|(status, ..)| *status == 503), "{probes:?}");
    assert!(slowest < Duration::from_secs(1) + 2 * SLACK, "{slowest:?}");
    proxy.set(Fault::None);
    let back = eventually("the server is ready", Duration::from_secs(1) + SLACK, async || {
        ready().await.0 == 200
    })
    .await;
    record(
        "every_readiness_probe_is_answered_in_time_while_postgres_hangs",
        &format!(
            "200 of 200 got 503 within {} ms; 200 again after {} ms",
            slowest.as_millis(),
            back.as_millis()
        ),
    );
}

#[tokio::test]
async fn clients_that_disconnect_leave_no_hung_connection_to_later_requests() {
    /// Shorter than the statement's time-out, and enough for a response on a machine that runs all
    /// tests at once.
    const CLIENT_TIMEOUT: Duration = Duration::from_millis(700);
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    // Only clients send queries to Postgres: a poll would detect the failure for them.
    let bounds = [
        ("DATABASE_CONNECTIONS_MAX", "4"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "1500"),
        ("CHANGES_POLL_WITHOUT_REDIS_MS", "60000"),
    ];
    let key = issue_unlimited(&database).await;
    let app = App::with(&Database::at(&proxy.url()), &bounds).await;
    join_all((0..8).map(|_| timed_get(&app, &key, LISTS))).await;
    proxy.set(Fault::Vanish);
    let mut answered = None;
    let vanished = Instant::now();
    while answered.is_none() && vanished.elapsed() < Duration::from_secs(10) {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        let request = get(LISTS, &key);
        match tokio::time::timeout(CLIENT_TIMEOUT, send_request(&mut stream, &request)).await {
            Ok(reply) => answered = (reply.unwrap().status == 200).then(|| vanished.elapsed()),
            // A reset makes the server take the request for cancelled.
            Err(_) => SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
        }
    }
    let answered = answered.expect("a request succeeds");
    // All four connections recover at once. One after the other would take 6 s.
    assert!(answered < CLIENT_TIMEOUT + Duration::from_millis(1500) + 3 * SLACK, "{answered:?}");
    let figures = format!("answered again after {} ms", answered.as_millis());
    record("clients_that_disconnect_leave_no_hung_connection_to_later_requests", &figures);
}

#[tokio::test]
async fn other_programs_that_take_all_connections_cause_503_only_until_they_leave() {
    let scratch = scratch();
    let mut postgres = Postgres::with_sample(scratch.path()).await;
    postgres.stop().await;
    // Three of them are reserved for superusers, and these users are superusers.
    postgres.start(&["max_connections=12"]).await;
    let database = postgres.database();
    let key = issue_unlimited(&database).await;
    let app = App::with(&database, &[("DATABASE_CONNECTIONS_MAX", "8")]).await;
    assert_eq!(timed_get(&app, &key, QUOTE).await.0, 200);
    let paths = distinct_paths(2000);
    let mut others = Vec::new();
    while let Ok((client, connection)) =
        tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await
    {
        tokio::spawn(connection);
        others.push(client);
    }
    let burst = join_all(paths[..40].iter().map(|path| timed_get(&app, &key, path))).await;
    assert!(
        burst
            .iter()
            .all(|(status, retry, _)| *status == 200 || (*status, retry.as_str()) == (503, "1")),
        "{burst:?}"
    );
    // The server's existing connections still serve consecutive requests.
    for path in &paths[40..60] {
        assert_eq!(timed_get(&app, &key, path).await.0, 200, "{path}");
    }
    assert_eq!(timed_get(&app, &key, QUOTE).await.0, 200);
    let held = others.len();
    let left = Instant::now();
    drop(others);
    let mut next = paths[60..].chunks(20);
    let back = async || {
        let burst =
            join_all(next.next().expect("enough").iter().map(|path| timed_get(&app, &key, path)))
                .await;
        burst.iter().all(|(status, ..)| *status == 200)
    };
    eventually("all requests succeed", Duration::from_secs(1), back).await;
    let figures = format!(
        "{held} of 12 held by others: of 40 at once {} were 200, the others 503; 20 of 20 \
         consecutive ones were 200; back after {} ms",
        burst.iter().filter(|(status, ..)| *status == 200).count(),
        left.elapsed().as_millis()
    );
    record("other_programs_that_take_all_connections_cause_503_only_until_they_leave", &figures);
}

#[tokio::test]
async fn a_read_only_database_serves_reads_and_usage_is_kept_until_it_is_writable() {
    let database = Database::sample().await;
    let key = issue_unlimited(&database).await;
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "100")]).await;
    let make = async |name: &str| {
        let list = json!({ "name": name, "symbols": ["AAPL"] });
        let response =
            app.request("POST", LISTS).header("x-api-key", &key).json(&list).send().await.unwrap();
        (response.status().as_u16(), header(&response, "retry-after").to_owned())
    };
    assert_eq!(make("before").await.0, 201);
    let operator = database.connect().await;
    let name = "current_database()";
    let set = |to: &str| {
        format!(
            "DO $$ BEGIN EXECUTE format(
               'ALTER DATABASE %I SET default_transaction_read_only = {to}', {name}
             ); END $$"
        )
    };
    operator.batch_execute(&set("on")).await.unwrap();
    end_connections(&operator).await;
    let paths = distinct_paths(20);
    for path in &paths {
        assert_eq!(timed_get(&app, &key, path).await.0, 200, "{path}");
    }
    assert_eq!(make("meanwhile").await, (503, "1".to_owned()));
    let lists = app.json(&key, LISTS).await.1;
    assert_eq!((&lists["count"], &lists["watchlists"][0]["name"]), (&1.into(), &"before".into()));
    let warned = async || app.log().iter().any(|line| line.contains("usage can't be stored"));
    eventually("a batch is refused", Duration::from_secs(5), warned).await;
    operator.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    operator.batch_execute(&set("off")).await.unwrap();
    end_connections(&operator).await;
    let writable = async || make("after").await.0 == 201;
    let back = eventually("a write succeeds", Duration::from_secs(1), writable).await;
    // All requests of the key: the list created before, the reads, the refused write, the listing,
    // and the attempts until a write succeeded.
    let mut sent = 0;
    let stored = async || {
        // A log line may come after its response.
        sent = app
            .log()
            .iter()
            .filter(|line| line.contains(&format!("\"key\":\"{}\"", id_of(&key))))
            .count();
        let total = "SELECT coalesce(sum(requests), 0)::text FROM key_usage";
        database.texts(total).await == [sent.to_string()]
    };
    eventually("all usage is stored", Duration::from_secs(5), stored).await;
    let figures = format!(
        "{} reads, all 200; a write 503; {sent} requests counted exactly; writable \
         again after {} ms",
        paths.len(),
        back.as_millis()
    );
    record("a_read_only_database_serves_reads_and_usage_is_kept_until_it_is_writable", &figures);
}

#[tokio::test]
async fn connections_of_a_burst_are_closed_once_no_request_uses_them() {
    let database = Database::sample().await;
    let key = issue_unlimited(&database).await;
    let app = App::with(&database, &[("DATABASE_IDLE_TIMEOUT_S", "1")]).await;
    let paths = distinct_paths(60);
    let answers = join_all(paths.iter().map(|path| app.get(&key, path))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    let open = async || {
        let count = "SELECT count(*)::text FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = 'tickerd'";
        database.texts(count).await[0].parse::<u32>().unwrap()
    };
    assert!(open().await > 3, "{} connections", open().await);
    // Two are for background tasks.
    let are_closed = async || open().await <= 2;
    eventually("unused connections are closed", Duration::from_secs(25), are_closed).await;
    assert_eq!(app.get(&key, &distinct_paths(61)[60]).await.status(), 200);
}
