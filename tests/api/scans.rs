//! Requests that read all stocks leave connections to others, and an empty day is read once.

use std::time::{Duration, Instant};

use crate::support::{App, Database, RawClient, get, header};

#[tokio::test]
async fn searches_leave_connections_to_the_requests_of_other_keys() {
    let database = Database::sample().await;
    let settings = [
        ("DATABASE_CONNECTIONS_MAX", "2"),
        ("DATABASE_SCANS_MAX", "1"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "30000"),
        ("DATABASE_WAIT_TIMEOUT_MS", "2000"),
    ];
    let app = App::with(&database, &settings).await;
    let [searcher, other] = [database.issue("pro"), database.issue("pro")];
    for key in [&searcher, &other] {
        assert_eq!(app.get(key, "/api/stocks/AAPL").await.status(), 200);
    }
    // Only searches read this table, so each one waits here for as long as a very slow one takes.
    let locked = database.connect().await;
    locked.batch_execute("BEGIN; LOCK former_symbols IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut clients = Vec::new();
    for n in 0..8 {
        let mut client = RawClient::connect(app.address()).await;
        client.send(get(&format!("/api/stocks?q=Inc&limit={}", n + 1), &searcher)).await;
        clients.push(client);
    }
    database.wait_for_connections(1, "wait_event_type = 'Lock'").await;
    // A client that does not wait leaves its search behind.
    clients.truncate(4);
    for day in 10..20 {
        let started = Instant::now();
        let path = format!("/api/stocks/AAPL/prices?start=2012-01-{day}&end=2012-03-01");
        let answer = app.get(&other, &path).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "x-cache")), (200, "MISS"));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
    let refused = app.get(&other, "/api/stocks?q=apple").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "1"));
    locked.batch_execute("COMMIT").await.unwrap();
    assert_eq!(app.get(&other, "/api/stocks?q=apple&limit=3").await.status(), 200);
}

#[tokio::test]
async fn a_search_that_finds_very_many_stocks_stays_fast_however_often_it_runs() {
    const STOCKS: usize = 12_000;
    let database = Database::sample().await;
    let letter = |n: usize| char::from(b'A' + (n % 26) as u8);
    let row = |n: usize| {
        let code = String::from_iter([n, n / 26, n / 676].map(letter));
        format!("Z{code},Some {code} Inc.,NYSE,USD\n")
    };
    let stocks: String = (0..STOCKS).map(row).collect();
    database.load("stocks", &format!("symbol,name,exchange,currency\n{stocks}"));
    database.connect().await.batch_execute("ANALYZE stocks").await.unwrap();
    let app = App::with(&database, &[("DATABASE_SCANS_MAX", "1")]).await;
    let key = database.issue("pro");
    let mut slowest = Duration::ZERO;
    // Postgres may choose another plan for a statement that it has run five times.
    for limit in 1..=12 {
        let started = Instant::now();
        let (status, body) = app.json(&key, &format!("/api/stocks?q=Inc&limit={limit}")).await;
        assert_eq!((status, body["total"].as_u64()), (200, Some(STOCKS as u64 + 3)), "{limit}");
        slowest = slowest.max(started.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test]
async fn a_market_day_without_prices_is_read_once_until_the_next_load() {
    let database = Database::sample().await;
    let settings = [("DATABASE_STATEMENT_TIMEOUT_MS", "1000")];
    let app = App::with(&database, &settings).await;
    let key = database.issue("enterprise");
    let day = "/api/prices/daily/2015-07-06";
    let before = app.json(&key, day).await;
    assert_eq!((before.0, &before.1["code"]), (404, &"no_data".into()));
    let locked = database.connect().await;
    locked.batch_execute("BEGIN; LOCK prices IN ACCESS EXCLUSIVE MODE").await.unwrap();
    for query in ["", "?limit=7", "?limit=10000&format=csv", "?columns=close"] {
        let (status, problem) = app.json(&key, &format!("{day}{query}")).await;
        assert_eq!((status, &problem["detail"]), (404, &before.1["detail"]), "{query}");
    }
    locked.batch_execute("COMMIT").await.unwrap();
    database.load("stocks", "symbol,name,exchange,currency\nNEW,New Company,NYSE,USD\n");
    database.load("prices", "symbol,date,open,high,low,close,volume\nNEW,2015-07-06,5,5,5,5,100\n");
    crate::support::eventually("its prices are served", Duration::from_secs(10), async || {
        app.get(&key, day).await.status() == 200
    })
    .await;
}
