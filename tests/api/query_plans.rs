//! Bounds on the blocks that a request may read, as Postgres counts them. Statements are planned
//! without values here, as Postgres does after their first uses.

use std::time::Duration;

use serde_json::Value;

use crate::support::{App, Database, eventually};

const SOON: Duration = Duration::from_secs(30);
/// The first 400 stocks are on NYSE, 300 without events follow on NASDAQ, and the last is alone on
/// XETRA.
const STOCKS: u64 = 701;
/// A page of 10 events: index pages, rows, and the rows between them.
const BLOCKS_OF_A_PAGE: u64 = 120;

async fn market() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let sql = format!(
        "SET synchronous_commit = on; -- a vacuum marks only what is known to have been written
         ALTER TABLE corporate_actions SET (autovacuum_enabled = false);
         ALTER TABLE prices SET (autovacuum_enabled = false);
         INSERT INTO exchanges VALUES ('XETRA', 'Xetra', 'Europe/Berlin', '17:30');
         INSERT INTO stocks (symbol, name, exchange, currency, data_version)
         SELECT 'T' || n, 'a test',
             CASE WHEN n <= 400 THEN 'NYSE' WHEN n < {STOCKS} THEN 'NASDAQ' ELSE 'XETRA' END,
             'USD', 0 FROM generate_series(1, {STOCKS}) n;
         INSERT INTO corporate_actions (stock_id, ex_date, kind, dividend)
         SELECT id, date '2000-01-01' + 30 * n + id % 30, 'dividend', 0.5
         FROM stocks, generate_series(1, 250) n WHERE exchange <> 'NASDAQ';
         INSERT INTO prices SELECT id, date '2022-01-01' + n, 1, 1, 1, 1, 1, n
         FROM stocks, generate_series(1, 30) n"
    );
    let client = database.connect().await;
    client.batch_execute(&sql).await.unwrap();
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
    let name = database.texts("SELECT current_database()::text").await.remove(0);
    client
        .batch_execute(&format!("ALTER DATABASE {name} SET plan_cache_mode = force_generic_plan"))
        .await
        .unwrap();
    database
}

/// Blocks of a table and its indexes read so far. Connections report their counts when they end, so
/// end them first.
async fn blocks_read(database: &Database, table: &str) -> u64 {
    let others = "SELECT pid::text FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let others = database.texts(others).await.join(",");
    if !others.is_empty() {
        let end =
            format!("SELECT pg_terminate_backend(pid)::text FROM unnest(ARRAY[{others}]) pid");
        database.texts(&end).await;
        let left = format!("SELECT pid::text FROM pg_stat_activity WHERE pid IN ({others})");
        eventually("the connections ended", SOON, async || database.texts(&left).await.is_empty())
            .await;
    }
    let sql = format!(
        "SELECT (heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::text
         FROM pg_statio_user_tables WHERE relname = '{table}'"
    );
    database.texts(&sql).await[0].parse().unwrap()
}

async fn blocks_of(
    database: &Database,
    app: &App,
    key: &str,
    table: &str,
    path: &str,
) -> (u64, u16, Value) {
    let before = blocks_read(database, table).await;
    let (status, body) = app.json(key, path).await;
    (blocks_read(database, table).await - before, status, body)
}

#[tokio::test]
async fn a_page_of_events_reads_few_blocks_and_at_most_the_whole_index() {
    let database = market().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let index = "SELECT relpages::text FROM pg_class WHERE relname = 'corporate_actions_ex_date'";
    let index: u64 = database.texts(index).await[0].parse().unwrap();
    assert!(index > 2 * BLOCKS_OF_A_PAGE, "too few events for a meaningful bound: {index} pages");
    for (filter, blocks_max, events) in [
        ("", BLOCKS_OF_A_PAGE, 10),
        ("&exchange=NYSE", BLOCKS_OF_A_PAGE, 10),
        ("&exchange=XETRA", BLOCKS_OF_A_PAGE, 10),
        // The planner reads the ends of an index.
        ("&exchange=BATS", 10, 0),
        ("&exchange=NASDAQ", index + BLOCKS_OF_A_PAGE, 0),
        ("&kind=split", index + BLOCKS_OF_A_PAGE, 0),
    ] {
        for order in ["desc", "asc"] {
            let path = format!("/api/events?start=2000-01-01&limit=10&order={order}{filter}");
            let (blocks, status, body) =
                blocks_of(&database, &app, &key, "corporate_actions", &path).await;
            assert_eq!((status, &body["count"]), (200, &events.into()), "{path}: {body}");
            assert!(blocks <= blocks_max, "{path} read {blocks} blocks, more than {blocks_max}");
        }
    }
}

#[tokio::test]
async fn pages_of_an_exchange_list_its_events_with_few_stocks_or_many() {
    let database = market().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (exchange, order) in
        [("NYSE", "desc"), ("NYSE", "asc"), ("XETRA", "desc"), ("XETRA", "asc")]
    {
        let expected = format!(
            "SELECT concat(symbol, ' ', ex_date) FROM corporate_actions JOIN stocks ON id = stock_id
             WHERE exchange = '{exchange}' AND ex_date BETWEEN '2010-01-01' AND '2010-07-01'
             ORDER BY ex_date {order}, stock_id {order}"
        );
        let mut path = format!(
            "/api/events?start=2010-01-01&end=2010-07-01&limit=1000\
             &order={order}&exchange={exchange}"
        );
        let mut found = Vec::new();
        // There are 2,400 events at most.
        for _ in 0..3 {
            let (_, body) = app.json(&key, &path).await;
            let text = |event: &Value| {
                format!("{} {}", event["symbol"].as_str().unwrap(), event["date"].as_str().unwrap())
            };
            found.extend(body["events"].as_array().unwrap().iter().map(text));
            let Some(next) = body["next"].as_str() else { break };
            path = next.to_owned();
        }
        assert_eq!(found, database.texts(&expected).await, "{exchange} {order}");
        assert!(found.len() > 4, "{exchange} {order}");
    }
}

#[tokio::test]
async fn a_day_reads_only_the_stocks_it_shows_and_a_day_without_prices_each_stock_once() {
    let database = market().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    // Finding a bar reads two or three index pages.
    for (date, expected, blocks_max) in
        [("2022-01-10", 200, 11 * 4), ("2022-03-10", 404, STOCKS * 4)]
    {
        let path = format!("/api/prices/daily/{date}?limit=10");
        let (blocks, status, body) = blocks_of(&database, &app, &key, "prices", &path).await;
        assert_eq!(status, expected, "{body}");
        assert!(blocks <= blocks_max, "{path} read {blocks} blocks, more than {blocks_max}");
    }
}
