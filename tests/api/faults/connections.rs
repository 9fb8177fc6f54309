//! Postgres lives, and its connections are too few, too slow, silent, or for reading alone.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_postgres::Client;

use super::harm::{issue_unlimited, unasked};
use crate::support::{
    App, Database, Fault, Load, Postgres, Proxy, eventually, get, header, id_of, record, scratch,
    send_request,
};

const LISTS: &str = "/api/watchlists";
const QUOTE: &str = "/api/stocks/AAPL/quote";
/// What a machine adds on which all tests run at once.
const SLACK: Duration = Duration::from_millis(800);

/// The status of an answer, `Retry-After`, and how long it took.
async fn ask(app: &App, key: &str, path: &str) -> (u16, String, Duration) {
    let started = Instant::now();
    let answer = app.get(key, path).await;
    (answer.status().as_u16(), header(&answer, "retry-after").to_owned(), started.elapsed())
}

/// Ends the connections of a server, as seen by its database.
async fn end_connections(operator: &Client) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'tickerd' AND datname = current_database()";
    operator.execute(end, &[]).await.unwrap();
}

#[tokio::test]
async fn a_database_that_wakes_up_costs_the_first_request_that_time_and_no_failure() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let key = issue_unlimited(&database).await;
    let app = App::with(&Database::at(&proxy.url()), &[]).await;
    assert_eq!(ask(&app, &key, QUOTE).await.0, 200);
    let wakes_up = Duration::from_millis(500);
    let mut slowest = Duration::ZERO;
    for path in unasked(5) {
        // It went to sleep, and takes connections at once but its time to say the first word.
        proxy.set(Fault::Stall);
        end_connections(&database.connect().await).await;
        let awake = async {
            tokio::time::sleep(wakes_up).await;
            proxy.set(Fault::None);
        };
        let ((status, _, took), ()) = tokio::join!(ask(&app, &key, &path), awake);
        assert_eq!(status, 200, "{path}");
        assert!(took < wakes_up + SLACK, "{took:?}");
        slowest = slowest.max(took);
    }
    let seen = format!("5 of 5 answered 200, the slowest after {} ms", slowest.as_millis());
    record("a_database_that_wakes_up_costs_the_first_request_that_time_and_no_failure", &seen);
}

#[tokio::test]
async fn a_pool_that_is_used_up_refuses_in_time_or_at_once_and_keeps_nobody_else() {
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
        assert_eq!(ask(&app, &key, path).await.0, 200);
    }
    let operator = database.connect().await;
    operator.batch_execute("BEGIN; LOCK watchlists").await.unwrap();
    let (held, cached) = tokio::join!(join_all((0..40).map(|_| ask(&app, &key, LISTS))), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut cached = Vec::new();
        for _ in 0..50 {
            cached.push(ask(&app, &key, QUOTE).await);
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
    // 4 have a connection until their statement takes too long, 8 wait for one, 28 find no place to
    // wait. The server's own look for changes takes none from them. Between any two of these times
    // lies more than a busy machine adds.
    let (at_once, waited, output) = (within(0, 1900), within(1900, 3900), within(3900, 8000));
    assert!(
        (26..=30).contains(&at_once) && at_once + waited + output == 40 && output >= 3,
        "{at_once}, {waited}, {output}"
    );
    operator.batch_execute("ROLLBACK").await.unwrap();
    let back = async || ask(&app, &key, LISTS).await.0 == 200;
    let back = eventually("it is back", Duration::from_secs(1), back).await;
    let slowest = cached.iter().map(|(.., took)| *took).max().unwrap();
    let seen = format!(
        "{at_once} refused at once, {waited} after the wait, {output} after their statement's time-out, all 503; 50 cached ones \
         200, the slowest after {} ms; back after {} ms",
        slowest.as_millis(),
        back.as_millis()
    );
    record("a_pool_that_is_used_up_refuses_in_time_or_at_once_and_keeps_nobody_else", &seen);
}

#[tokio::test]
async fn however_long_all_connections_are_used_up_a_revocation_is_followed_within_a_second() {
    let database = Database::sample().await;
    // Statements outlast the wait for a connection: whoever waits behind those of the flood waits
    // in vain.
    let bounds = [
        ("DATABASE_CONNECTIONS_MAX", "4"),
        ("DATABASE_QUEUE_MAX", "16"),
        ("DATABASE_WAIT_TIMEOUT_MS", "1000"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "8000"),
    ];
    let (flooding, revoked) = (issue_unlimited(&database).await, database.issue("pro"));
    let app = App::with(&database, &bounds).await;
    for (key, path) in [(&flooding, LISTS), (&revoked, QUOTE), (&revoked, QUOTE)] {
        assert_eq!(ask(&app, key, path).await.0, 200);
    }
    let operator = database.connect().await;
    operator.batch_execute("BEGIN; LOCK watchlists").await.unwrap();
    let flood = Load::new(&[&app], &[&flooding], &[LISTS]).clients(32).start();
    database.wait_for_connections(4, "wait_event_type = 'Lock'").await;
    assert_eq!(ask(&app, &revoked, QUOTE).await.0, 200, "it is known and the answer is kept");
    let output = database.run(&["keys", "revoke", id_of(&revoked), "--yes"]);
    assert!(output.status.success(), "{output:?}");
    // Its row can't be read again before the flood is over: until then nobody knows more than that
    // it changed.
    let refused = async || ask(&app, &revoked, QUOTE).await.0 == 503;
    // A second, and what the request itself waits for a connection.
    let within = Duration::from_secs(1 + 1) + SLACK;
    let took = eventually("it is refused", within, refused).await;
    let ready = app.get("", "/health/ready").await;
    let (status, message) = (ready.status(), ready.text().await.unwrap());
    assert!(status == 200 && message.contains("\"changes\":\"followed\""), "{status} {message}");
    operator.batch_execute("ROLLBACK").await.unwrap();
    flood.stop();
    let unauthorized = async || ask(&app, &revoked, QUOTE).await.0 == 401;
    eventually("it is told apart", Duration::from_secs(2), unauthorized).await;
    record(
        "however_long_all_connections_are_used_up_a_revocation_is_followed_within_a_second",
        &format!("refused {} ms after the command, 401 once the flood was over", took.as_millis()),
    );
}

#[tokio::test]
async fn however_many_ask_whether_it_is_ready_while_postgres_hangs_each_is_told_in_time() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let app = App::with(&Database::at(&proxy.url()), &[]).await;
    let ready = || ask(&app, "", "/health/ready");
    assert_eq!(ready().await.0, 200);
    proxy.set(Fault::Stall);
    eventually("it is noticed", Duration::from_secs(2), async || ready().await.0 == 503).await;
    // What was found just now is everybody's for 200 ms: those who ask then have to look.
    tokio::time::sleep(Duration::from_millis(250)).await;
    let told = join_all((0..200).map(|_| ready())).await;
    let slowest = told.iter().map(|(.., took)| *took).max().unwrap();
    assert!(told.iter().all(|(status, ..)| *status == 503), "{told:?}");
    assert!(slowest < Duration::from_secs(1) + 2 * SLACK, "{slowest:?}");
    proxy.set(Fault::None);
    let back =
        eventually("it is ready", Duration::from_secs(1) + SLACK, async || ready().await.0 == 200)
            .await;
    record(
        "however_many_ask_whether_it_is_ready_while_postgres_hangs_each_is_told_in_time",
        &format!(
            "200 of 200 got 503 within {} ms; 200 again after {} ms",
            slowest.as_millis(),
            back.as_millis()
        ),
    );
}

#[tokio::test]
async fn callers_that_hang_up_leave_nobody_behind_a_statement_that_hangs() {
    /// Before the statement's time-out, and enough for an answer on a machine where all tests run
    /// at once.
    const PATIENCE: Duration = Duration::from_millis(700);
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    // Nothing but callers asks Postgres: it would find out for them.
    let bounds = [
        ("DATABASE_CONNECTIONS_MAX", "4"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "1500"),
        ("CHANGES_POLL_WITHOUT_REDIS_MS", "60000"),
    ];
    let key = issue_unlimited(&database).await;
    let app = App::with(&Database::at(&proxy.url()), &bounds).await;
    join_all((0..8).map(|_| ask(&app, &key, LISTS))).await;
    proxy.set(Fault::Vanish);
    let (mut answered, vanished) = (None, Instant::now());
    while answered.is_none() && vanished.elapsed() < Duration::from_secs(10) {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        let request = get(LISTS, &key);
        match tokio::time::timeout(PATIENCE, send_request(&mut stream, &request)).await {
            Ok(reply) => answered = (reply.unwrap().status == 200).then(|| vanished.elapsed()),
            // Its end comes as a reset, which the server takes for the end of the request.
            Err(_) => SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
        }
    }
    let answered = answered.expect("somebody is answered");
    // All four at once: one after the other would take them 6 s.
    assert!(answered < PATIENCE + Duration::from_millis(1500) + 3 * SLACK, "{answered:?}");
    let seen = format!("answered again after {} ms", answered.as_millis());
    record("callers_that_hang_up_leave_nobody_behind_a_statement_that_hangs", &seen);
}

#[tokio::test]
async fn others_that_use_up_all_connections_cost_what_needs_one_and_nothing_after_they_left() {
    let scratch = scratch();
    let mut postgres = Postgres::with_sample(scratch.path()).await;
    postgres.stop().await;
    // Three of them are kept for superusers, which these are.
    postgres.start(&["max_connections=12"]).await;
    let database = postgres.database();
    let key = issue_unlimited(&database).await;
    let app = App::with(&database, &[("DATABASE_CONNECTIONS_MAX", "8")]).await;
    assert_eq!(ask(&app, &key, QUOTE).await.0, 200);
    let paths = unasked(2000);
    let mut others = Vec::new();
    while let Ok((client, connection)) =
        tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await
    {
        tokio::spawn(connection);
        others.push(client);
    }
    let burst = join_all(paths[..40].iter().map(|path| ask(&app, &key, path))).await;
    assert!(
        burst
            .iter()
            .all(|(status, retry, _)| *status == 200 || (*status, retry.as_str()) == (503, "1")),
        "{burst:?}"
    );
    // The server's own connections go on, one request after the other.
    for path in &paths[40..60] {
        assert_eq!(ask(&app, &key, path).await.0, 200, "{path}");
    }
    assert_eq!(ask(&app, &key, QUOTE).await.0, 200);
    let (held, left) = (others.len(), Instant::now());
    drop(others);
    let mut next = paths[60..].chunks(20);
    let back = async || {
        let burst =
            join_all(next.next().expect("enough").iter().map(|path| ask(&app, &key, path))).await;
        burst.iter().all(|(status, ..)| *status == 200)
    };
    eventually("all is back", Duration::from_secs(1), back).await;
    let seen = format!(
        "{held} of 12 held by others: of 40 at once {} were 200, the others 503; one after the other 20 of 20; back after {} ms",
        burst.iter().filter(|(status, ..)| *status == 200).count(),
        left.elapsed().as_millis()
    );
    record(
        "others_that_use_up_all_connections_cost_what_needs_one_and_nothing_after_they_left",
        &seen,
    );
}

#[tokio::test]
async fn a_database_that_can_only_be_read_serves_reads_and_keeps_usage_until_it_can_be_written() {
    let database = Database::sample().await;
    let key = issue_unlimited(&database).await;
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "100")]).await;
    let make = async |name: &str| {
        let list = json!({ "name": name, "symbols": ["AAPL"] });
        let answer =
            app.request("POST", LISTS).header("x-api-key", &key).json(&list).send().await.unwrap();
        (answer.status().as_u16(), header(&answer, "retry-after").to_owned())
    };
    assert_eq!(make("before").await.0, 201);
    let (operator, name) = (database.connect().await, "current_database()");
    let set = |to: &str| {
        format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {to}', {name}); END $$"
        )
    };
    operator.batch_execute(&set("on")).await.unwrap();
    end_connections(&operator).await;
    let paths = unasked(20);
    for path in &paths {
        assert_eq!(ask(&app, &key, path).await.0, 200, "{path}");
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
    let back = eventually("it is written", Duration::from_secs(1), writable).await;
    // Whatever was asked: one that was made before, the reads, one refused, one look, those that
    // tried until one was made.
    let mut sent = 0;
    let stored = async || {
        // A line may come after its answer.
        sent = app
            .log()
            .iter()
            .filter(|line| line.contains(&format!("\"key\":\"{}\"", id_of(&key))))
            .count();
        let total = "SELECT coalesce(sum(requests), 0)::text FROM key_usage";
        database.texts(total).await == [sent.to_string()]
    };
    eventually("all usage is stored", Duration::from_secs(5), stored).await;
    let seen = format!(
        "{} reads, all 200; a write 503; {sent} requests counted exactly; writable again after {} ms",
        paths.len(),
        back.as_millis()
    );
    record(
        "a_database_that_can_only_be_read_serves_reads_and_keeps_usage_until_it_can_be_written",
        &seen,
    );
}
