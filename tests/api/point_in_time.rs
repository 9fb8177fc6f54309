//! What was once published stays readable: `asof` gives the answers of an earlier time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{App, Database, Files, eventually, unique};

const STOCKS: &str = "symbol,name,exchange,currency,sector\nOLD,Old Works,NYSE,USD,Industrials\n\
                      FEED,Feed Holdings,NASDAQ,USD,Technology\n";
const RAW: &str = "symbol,date,open,high,low,close,volume\n";

/// Requests whose answers depend on everything that can be restated.
const PATHS: [&str; 18] = [
    "/api/stocks/OLD",
    "/api/stocks/NEW",
    "/api/stocks/FEED",
    "/api/stocks?limit=10",
    "/api/stocks?q=works",
    "/api/stocks?active=false",
    "/api/stocks/OLD/prices?start=2024-01-01",
    "/api/stocks/OLD/prices?start=2024-01-01&adjust=splits&order=asc&limit=3",
    "/api/stocks/OLD/prices?start=2024-01-01&adjust=all&interval=1w",
    "/api/stocks/NEW/prices?start=2024-01-01&adjust=all",
    "/api/stocks/FEED/prices?start=2024-01-01&adjust=all",
    "/api/prices?symbols=FEED,NEW,OLD&start=2024-01-08&end=2024-01-11",
    "/api/prices/daily/2024-01-09",
    "/api/stocks/OLD/quote",
    "/api/stocks/FEED/quote",
    "/api/stocks/OLD/events",
    "/api/events?start=2024-01-01",
    "/api/events?start=2024-01-01&exchange=NYSE&kind=dividend",
];

/// The ten trading days from 2024-01-04 on.
const DAYS: [u32; 10] = [4, 5, 8, 9, 10, 11, 12, 16, 17, 18];

/// Rows of bars whose closes are `first`, `first + 1` and so on.
fn bars(symbol: &str, days: &[u32], first: f64) -> String {
    let row = |(n, day): (usize, &u32)| {
        let close = first + n as f64;
        let (open, high, low) = (close - 0.25, close + 0.5, close - 0.75);
        format!("{symbol},2024-01-{day:02},{open},{high},{low},{close},{}\n", 1000 + 7 * day)
    };
    days.iter().enumerate().map(row).collect()
}

/// A database and the answers that it gave after each change.
struct History {
    database: Database,
    files: Files,
    key: String,
    /// The time after each change, and the answers to [`PATHS`] then.
    answers: Vec<(String, Vec<(u16, Value)>)>,
}

impl History {
    async fn new() -> Self {
        let database = Database::empty().await;
        assert_eq!(database.output(&["migrate"]).code, Some(0));
        let key = database.issue("enterprise");
        Self { database, files: Files::new(), key, answers: Vec::new() }
    }

    /// Runs a command, and notes the answers of an instance that starts after it.
    async fn run(&mut self, arguments: &[&str]) {
        let output = self.database.output(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
        self.note().await;
    }

    async fn load(&mut self, kind: &str, text: &str, options: &[&str]) {
        let file = self.files.write(&format!("{kind}.csv"), text);
        self.run(&[&["ingest", kind, &file], options].concat()).await;
    }

    async fn note(&mut self) {
        let time = now(&self.database).await;
        let app = App::without_redis(&self.database).await;
        let mut answers = Vec::new();
        for path in PATHS {
            answers.push(comparable(app.json(&self.key, path).await));
        }
        self.answers.push((time, answers));
    }
}

/// An answer without what differs between times although the data is the same.
fn comparable((status, mut body): (u16, Value)) -> (u16, Value) {
    if status != 200 {
        return (status, body["code"].take());
    }
    if let Some(next) = body.get_mut("next") {
        *next = json!(!next.is_null());
    }
    if let Some(stock) = body.get_mut("stock") {
        stock["updatedAt"] = Value::Null;
    }
    let stocks = body.get_mut("stocks").and_then(Value::as_array_mut);
    stocks.into_iter().flatten().for_each(|stock| stock["updatedAt"] = Value::Null);
    (status, body)
}

fn as_of(path: &str, time: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}asof={time}")
}

#[tokio::test]
async fn every_answer_of_an_earlier_time_is_given_again_with_asof() {
    let mut history = History::new().await;
    history.load("stocks", STOCKS, &[]).await;
    history.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[..7], 40.0)), &[]).await;
    let feed = "symbol,date,open,high,low,close,adjusted_close,volume\n\
                FEED,2024-01-08,10,11,9,10,9.5,100\nFEED,2024-01-09,10,11,9,10.5,10.25,100\n";
    history.load("prices", feed, &[]).await;
    let actions = "symbol,ex_date,type,split_from,split_to,dividend\nOLD,2024-01-09,cash,,,0.4\n\
                   OLD,2024-01-16,split,1,2,\nFEED,2024-01-09,cash,,,0.25\n";
    history.load("actions", actions, &[]).await;
    // The announced split takes effect, and a bar and a dividend are corrected.
    history.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[7..], 23.0)), &[]).await;
    history.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[1..2], 41.5)), &[]).await;
    history.load("actions", "symbol,ex_date,type,dividend\nOLD,2024-01-09,cash,0.55\n", &[]).await;
    let day = ["--from", "2024-01-10", "--to", "2024-01-10", "--yes"];
    history.run(&[&["prices", "delete", "--symbol", "OLD"], day.as_slice()].concat()).await;
    history.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[4..5], 43.25)), &[]).await;
    // A feed's adjusted closes are restated, and then replaced by computed ones.
    history.load("prices", &feed.replace("9.5", "9.4"), &[]).await;
    let raw = "symbol,date,open,high,low,close,volume\nFEED,2024-01-10,10,11,9,10,100\n";
    history.load("prices", raw, &["--yes"]).await;
    // The symbol changes hands.
    history.run(&["stocks", "rename", "OLD", "NEW", "--from", "2024-01-18"]).await;
    let taken = "symbol,name,exchange,currency\nOLD,Another Company,NYSE,USD\n";
    history.load("stocks", taken, &["--reuse", "OLD"]).await;
    history.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[9..], 7.0)), &[]).await;
    history
        .load(
            "stocks",
            &STOCKS
                .replace("OLD,Old Works", "NEW,New Works")
                .replace("FEED,Feed Holdings", "FEED,Feed Inc"),
            &[],
        )
        .await;
    history.run(&["stocks", "delist", "NEW", "--on", "2024-01-18"]).await;
    let of = ["actions", "delete", "--symbol", "NEW", "--from", "2024-01-01", "--to", "2024-02-01"];
    history.run(&[of.as_slice(), &["--kind", "split", "--yes"]].concat()).await;

    let app = App::without_redis(&history.database).await;
    let mut differing = Vec::new();
    for (step, (time, answers)) in history.answers.iter().enumerate() {
        for (path, then) in PATHS.iter().zip(answers) {
            let now = comparable(app.json(&history.key, &as_of(path, time)).await);
            if now != *then {
                let [then, now] = [&then.1, &now.1].map(Value::to_string);
                differing.push(format!("step {step}, {path}:\n  then {then}\n  now  {now}"));
            }
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

/// A stock with three bars, loaded and then corrected. Returns the time before the correction.
async fn corrected(database: &Database) -> String {
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    database.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[..3], 40.0)));
    let time = now(database).await;
    database.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[1..2], 50.0)));
    time
}

async fn now(database: &Database) -> String {
    let sql = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC',
                              'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    database.texts(sql).await.remove(0)
}

/// The closes of a stock, oldest first.
async fn closes(app: &App, key: &str, asof: &str) -> Vec<f64> {
    let path = format!("/api/stocks/OLD/prices?start=2024-01-01&order=asc{asof}");
    let (status, body) = app.json(key, &path).await;
    assert_eq!(status, 200, "{body}");
    body["prices"].as_array().unwrap().iter().map(|bar| bar["close"].as_f64().unwrap()).collect()
}

#[tokio::test]
async fn corrections_by_sql_and_by_the_release_before_are_kept_too() {
    let database = Database::empty().await;
    corrected(&database).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let before = now(&database).await;
    // As the release before merges rows and as operators correct them: neither names a change.
    let client = database.connect().await;
    let sql =
        "INSERT INTO prices AS p (stock_id, date, open, high, low, close, adjusted_close, volume)
               SELECT stock_id, date, open, 90, low, 61, 61, volume FROM prices
               WHERE date = '2024-01-05'
               ON CONFLICT (stock_id, date) DO UPDATE SET high = excluded.high,
                   close = excluded.close, adjusted_close = excluded.adjusted_close;
               INSERT INTO prices (stock_id, date, open, high, low, close, adjusted_close, volume)
               SELECT stock_id, '2024-01-09', open, high, low, close, close, volume FROM prices
               WHERE date = '2024-01-08';
               UPDATE prices SET high = 90, close = 62 WHERE date = '2024-01-05';
               DELETE FROM prices WHERE date = '2024-01-04';
               UPDATE stocks SET data_version = next_revision()";
    client.batch_execute(&format!("BEGIN; {sql}; COMMIT")).await.unwrap();
    let after = now(&database).await;
    client.batch_execute("UPDATE prices SET close = close").await.unwrap();
    let asof = |time: &str| format!("&asof={time}");
    assert_eq!(closes(&app, &key, &asof(&before)).await, [40.0, 50.0, 42.0]);
    for time in [after, now(&database).await] {
        assert_eq!(closes(&app, &key, &asof(&time)).await, [62.0, 42.0, 42.0]);
    }
}

#[tokio::test]
async fn a_time_before_the_history_or_in_the_future_is_refused() {
    let database = Database::empty().await;
    corrected(&database).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (path, time, code, detail) in [
        ("/api/stocks/OLD/quote", "2020-01-01", "before_history", "expected a later time"),
        ("/api/stocks", "2020-01-01T00:00:00Z", "before_history", "began to keep replaced data"),
        ("/api/stocks/OLD", "2999-01-01", "invalid_parameter", "not after"),
        ("/api/events?start=2020-01-01", "yesterday", "invalid_parameter", "as in 2024-03-01"),
    ] {
        let (status, body) = app.json(&key, &as_of(path, time)).await;
        assert_eq!((status, body["code"].as_str()), (400, Some(code)), "{body}");
        assert!(body["detail"].as_str().unwrap().contains(detail), "{body}");
    }
    let time = now(&database).await;
    let (status, body) = app.json(&key, &as_of("/api/stocks/NONE/quote", &time)).await;
    assert_eq!((status, body["code"].as_str()), (404, Some("unknown_symbol")), "{body}");
    let today = &time[..10];
    assert_eq!(closes(&app, &key, &format!("&asof={today}")).await, [40.0, 50.0, 42.0]);
}

#[tokio::test]
async fn an_answer_as_of_today_follows_the_next_correction() {
    let database = Database::empty().await;
    corrected(&database).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let asof = format!("&asof={}", &now(&database).await[..10]);
    assert_eq!(closes(&app, &key, &asof).await, [40.0, 50.0, 42.0]);
    database.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[1..2], 51.0)));
    let corrected = async || closes(&app, &key, &asof).await == [40.0, 51.0, 42.0];
    eventually("the correction is served", Duration::from_secs(10), corrected).await;
}

#[tokio::test]
async fn revisions_list_what_was_replaced_removed_or_added_late() {
    let database = Database::empty().await;
    let before = corrected(&database).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    database.load("actions", "symbol,ex_date,dividend\nOLD,2024-01-08,0.5\nOLD,2024-02-01,0.6\n");
    let delete =
        ["prices", "delete", "--symbol", "OLD", "--from", "2024-01-04", "--to", "2024-01-04"];
    assert_eq!(database.output(&[delete.as_slice(), &["--yes"]].concat()).code, Some(0));
    database.load("stocks", &STOCKS.replace("Old Works", "Old Works Inc"));
    let path = "/api/stocks/OLD/revisions";
    let listed = async || app.json(&key, path).await.1["count"] == 4;
    eventually("all are listed", Duration::from_secs(10), listed).await;
    let (_, body) = app.json(&key, path).await;
    let revisions = body["revisions"].as_array().unwrap();
    let of = |n: usize| {
        let [kind, date, was, became] =
            ["kind", "date", "was", "became"].map(|name| revisions[n][name].clone());
        json!([kind, date, was, became])
    };
    let bar = |close: f64, volume: u32| {
        json!({"open": close - 0.25, "high": close + 0.5, "low": close - 0.75, "close": close,
               "volume": volume, "vwap": null, "trades": null})
    };
    let dividend = json!({
        "type": "cash", "splitFrom": null, "splitTo": null, "dividend": 0.5,
        "declarationDate": null, "recordDate": null, "payDate": null, "frequency": null,
    });
    assert_eq!(of(0), json!(["stock", null, {"name": "Old Works"}, {"name": "Old Works Inc"}]));
    assert_eq!(of(1), json!(["price", "2024-01-04", bar(40.0, 1028), null]));
    assert_eq!(of(2), json!(["event", "2024-01-08", null, dividend]));
    assert_eq!(of(3), json!(["price", "2024-01-05", bar(41.0, 1035), bar(50.0, 1035)]));
    // A revision is visible from its time on.
    let time = revisions[3]["publishedAt"].as_str().unwrap();
    assert!(before.as_str() < time, "{before} {time}");
    assert_eq!(closes(&app, &key, &format!("&asof={time}")).await, [40.0, 50.0, 42.0]);
    assert_eq!(closes(&app, &key, &format!("&asof={before}")).await, [40.0, 41.0, 42.0]);
    // Pages of one show the same.
    let (mut next, mut paged) = (Some(format!("{path}?limit=1")), Vec::new());
    while let Some(page) = next {
        let (_, body) = app.json(&key, &page).await;
        paged.extend(body["revisions"].as_array().unwrap().clone());
        next = body["next"].as_str().map(str::to_owned);
    }
    assert_eq!(&paged, revisions);
    let (_, prices) = app.json(&key, &format!("{path}?kind=price")).await;
    assert_eq!(prices["count"], 2);
}

#[tokio::test]
async fn a_cancelled_request_leaves_no_open_transaction_behind() {
    let database = Database::empty().await;
    let time = corrected(&database).await;
    let app = App::with(&database, &[("DATABASE_CONNECTIONS_MAX", "1")]).await;
    let key = database.issue("enterprise");
    assert_eq!(closes(&app, &key, "").await, [40.0, 50.0, 42.0]);
    for n in 0..40u64 {
        let path = format!("/api/stocks/OLD/prices?start=2024-01-01&limit={}&asof={time}", n + 1);
        let request = app.get(&key, &path);
        let _ = tokio::time::timeout(Duration::from_micros(300 * n), request).await;
        assert_eq!(closes(&app, &key, &format!("&limit={}", 50 + n)).await, [40.0, 50.0, 42.0]);
    }
    let idle = "state = 'idle in transaction'";
    database.wait_for_connections(0, idle).await;
}

#[tokio::test]
async fn a_role_that_may_not_use_the_views_gets_an_error_and_never_the_data_of_today() {
    let database = Database::empty().await;
    let (time, role) = (corrected(&database).await, unique("app"));
    let key = database.issue("pro");
    let client = database.connect().await;
    let grants = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'app';
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
    );
    client.batch_execute(&grants).await.unwrap();
    let url = database.url();
    let (_, server) = url.split_once('@').unwrap();
    let mut serve = database.tickerd(&["serve"]);
    serve.env("DATABASE_URL", format!("postgres://{role}:app@{server}"));
    let app = App::start(serve).await;
    assert_eq!(closes(&app, &key, "").await, [40.0, 50.0, 42.0]);
    let path = as_of("/api/stocks/OLD/prices?start=2024-01-01", &time);
    let (status, body) = app.json(&key, &path).await;
    assert_eq!(status, 500, "{body}");
    let granted = format!(
        "GRANT USAGE ON SCHEMA as_of TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA as_of TO {role}"
    );
    client.batch_execute(&granted).await.unwrap();
    let is_then = async || app.json(&key, &path).await.1["prices"][1]["close"] == 41.0;
    eventually("the role reads the views", Duration::from_secs(10), is_then).await;
}

#[tokio::test]
async fn a_feeds_adjusted_closes_are_given_again_after_they_are_computed_and_a_dividend_follows() {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    let feed = "symbol,date,open,high,low,close,volume,adjusted_close\n\
                OLD,2024-01-04,40,41,39,40,5,40\nOLD,2024-01-05,40,41,39,41,5,41\n";
    database.load("prices", feed);
    let time = now(&database).await;
    let files = Files::new();
    let raw = files.write("raw.csv", format!("{RAW}OLD,2024-01-08,40,41,39,40,5\n"));
    assert_eq!(database.output(&["ingest", "prices", &raw, "--yes"]).code, Some(0));
    database.load("actions", "symbol,ex_date,dividend\nOLD,2024-01-08,2\n");
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/stocks/OLD/prices?start=2024-01-01&adjust=all&columns=close,adjustedClose";
    let (_, body) = app.json(&key, &as_of(path, &time)).await;
    assert_eq!(
        body["prices"],
        json!([{"close": 41.0, "adjustedClose": 41.0}, {"close": 40.0, "adjustedClose": 40.0}])
    );
    // Another origin of the same values is no revision.
    let (_, body) = app.json(&key, "/api/stocks/OLD/revisions?kind=price").await;
    assert_eq!(body["count"], 0, "{body}");
    let (_, body) = app.json(&key, "/api/stocks/OLD/revisions?kind=stock").await;
    let origin = &body["revisions"][0];
    assert_eq!(
        (&origin["was"], &origin["became"]),
        (&json!({"adjustedCloses": "feed"}), &json!({"adjustedCloses": "computed"}))
    );
}

#[tokio::test]
async fn changes_are_ordered_by_their_commits_even_if_a_later_one_began_first() {
    let database = Database::empty().await;
    corrected(&database).await;
    let slow = database.connect().await;
    slow.batch_execute("BEGIN; UPDATE stocks SET sector = 'Slow' WHERE symbol = 'FEED'")
        .await
        .unwrap();
    database.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[1..2], 60.0)));
    let between = now(&database).await;
    slow.batch_execute(
        "UPDATE prices SET high = 99, close = 70, adjusted_close = 70 WHERE date = '2024-01-05';
         UPDATE stocks SET data_version = next_revision() WHERE symbol = 'OLD'; COMMIT",
    )
    .await
    .unwrap();
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    assert_eq!(closes(&app, &key, &format!("&asof={between}")).await, [40.0, 60.0, 42.0]);
    let after = now(&database).await;
    assert_eq!(closes(&app, &key, &format!("&asof={after}")).await, [40.0, 70.0, 42.0]);
    let (_, body) = app.json(&key, "/api/stocks/OLD/revisions?kind=price").await;
    let became: Vec<_> =
        body["revisions"].as_array().unwrap().iter().map(|of| &of["became"]["close"]).collect();
    assert_eq!(became, [&json!(70.0), &json!(60.0), &json!(50.0)]);
}

#[tokio::test]
async fn truncate_is_refused_and_a_load_that_changes_nothing_is_no_change() {
    let database = Database::empty().await;
    corrected(&database).await;
    let client = database.connect().await;
    for table in ["prices", "corporate_actions", "former_symbols", "stocks CASCADE"] {
        let error = client.batch_execute(&format!("TRUNCATE {table}")).await.unwrap_err();
        let message = error.as_db_error().map(|error| error.message().to_owned());
        assert!(message.is_some_and(|of| of.contains("use DELETE")), "{table}: {error:?}");
    }
    let changes = "SELECT count(*)::text FROM changes";
    let before = database.texts(changes).await;
    database.load("prices", &format!("{RAW}{}", bars("OLD", &DAYS[1..2], 50.0)));
    database.load("stocks", STOCKS);
    assert_eq!(database.texts(changes).await, before);
}

#[tokio::test]
async fn a_load_that_changes_only_the_origin_of_adjusted_closes_loses_no_bar() {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    let feed = "symbol,date,open,high,low,close,volume,adjusted_close\n\
                OLD,2024-01-04,40,41,39,40,5,40\nOLD,2024-01-05,40,41,39,41,5,41\n";
    database.load("prices", feed);
    let before = now(&database).await;
    let files = Files::new();
    let file = files.write("same.csv", feed);
    let computed = ["ingest", "prices", &file, "--adjusted-close", "computed", "--yes", "--json"];
    assert_eq!(database.output(&computed).json()["unchanged"], 2);
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for time in [before, now(&database).await] {
        assert_eq!(closes(&app, &key, &format!("&asof={time}")).await, [40.0, 41.0], "{time}");
    }
}
