//! The physical layout of prices: a range is read from few pages, in whatever order the rows were
//! loaded.

use serde_json::Value;
use testkit::servers::{Durability, LocalPostgres, choose_dir};
use tickerd::market::Order;
use tickerd::store::bars_sql;
use tokio_postgres::SimpleQueryMessage;

use crate::support::{Database, scratch};

const STOCKS: i32 = 200;
/// Days that are loaded one by one, before the last load.
const DAYS_BEFORE: i32 = 450;
/// Days of the last load. With all stocks, they are enough rows to trigger its vacuum.
const DAYS_LAST: i32 = 50;
/// The most pages that a year of one stock may be read from. ARCHITECTURE.md has the figures for 30
/// million rows.
const BUFFERS_MAX: u64 = 9;

/// A row for each stock and each day of a range of days, in the columns of a feed.
fn rows(from: i32, to: i32) -> String {
    format!(
        "SELECT symbol, date '2022-01-01' + day AS date, 1.5 AS open, 2.5 AS high, 1.25 AS low,
                1.75 AS close, day AS volume, 1.75 AS adjusted_close
         FROM stocks, generate_series({from}, {to}) AS day WHERE symbol LIKE 'T%'"
    )
}

async fn load_day_by_day(database: &Database) {
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let client = database.connect().await;
    let stocks = format!(
        "INSERT INTO stocks (symbol, name, exchange, currency, data_version)
         SELECT 'T' || n, 'a test', 'NYSE', 'USD', 0 FROM generate_series(1, {STOCKS}) n"
    );
    client.batch_execute(&stocks).await.unwrap();
    // Tests the vacuum of the load itself. An autovacuum could help it, or keep old rows visible.
    for table in ["prices", "stocks"] {
        let sql = format!("ALTER TABLE {table} SET (autovacuum_enabled = false)");
        client.batch_execute(&sql).await.unwrap();
    }
    for day in 1..=DAYS_BEFORE {
        let sql = format!(
            "INSERT INTO prices (stock_id, date, open, high, low, close, adjusted_close, volume)
             SELECT id, date, open, high, low, close, adjusted_close, volume
             FROM ({}) of_day JOIN stocks USING (symbol) ORDER BY id",
            rows(day, day)
        );
        client.batch_execute(&sql).await.unwrap();
    }
    let last = rows(DAYS_BEFORE + 1, DAYS_BEFORE + DAYS_LAST);
    let lines = format!(
        "SELECT concat_ws(',', symbol, date, open, high, low, close, volume, adjusted_close)
         FROM ({last}) rows ORDER BY date, symbol"
    );
    let text = ["symbol,date,open,high,low,close,volume,adjusted_close".to_owned()];
    let text = [text.as_slice(), &database.texts(&lines).await].concat().join("\n");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("last.csv");
    std::fs::write(&file, text).unwrap();
    // Every day is loaded, weekends included.
    let load = ["ingest", "prices", file.to_str().unwrap(), "--closed-days", "keep", "--json"];
    let report = database.output(&load).json();
    assert_eq!(report["added"], STOCKS * DAYS_LAST);
}

/// The part of a plan that reads prices.
fn scan(plan: &Value) -> Option<&Value> {
    let parts = plan["Plans"].as_array().into_iter().flatten();
    if plan["Relation Name"] == "prices" { Some(plan) } else { parts.filter_map(scan).next() }
}

async fn explained(client: &tokio_postgres::Client, sql: &str) -> Value {
    let messages = client.simple_query(sql).await.unwrap();
    let text = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    serde_json::from_str(text.unwrap()).unwrap()
}

#[tokio::test]
async fn after_a_load_a_year_of_a_stock_is_read_from_few_index_pages_only() {
    // An own server: other transactions on a shared one could hold the vacuum back.
    let scratch = scratch();
    let dir = choose_dir(&scratch.path().join("servers")).unwrap();
    let server = LocalPostgres::start(&dir, Durability::Throwaway).unwrap();
    let database = Database::at(&server.url());
    load_day_by_day(&database).await;
    let client = database.connect().await;
    client.batch_execute(&format!("PREPARE bars AS {}", bars_sql(Order::Desc))).await.unwrap();
    // With and without values to plan for: a prepared statement is planned for none after its first
    // uses.
    for mode in ["force_custom_plan", "force_generic_plan"] {
        client.batch_execute(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
        for (symbol, days) in
            [("T1", 0..252), ("T77", 100..352), ("T123", 248..500), ("T200", 248..500)]
        {
            let id = &database
                .texts(&format!("SELECT id::text FROM stocks WHERE symbol = '{symbol}'"))
                .await[0];
            let sql = format!(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT json)
                 EXECUTE bars({id}, date '2022-01-01' + {}, date '2022-01-01' + {}, 1000)",
                days.start + 1,
                days.end
            );
            let plan = &explained(&client, &sql).await[0]["Plan"];
            let scan = scan(plan).unwrap();
            let message = format!("{mode}, {symbol}: {scan:#}");
            let buffers = ["Shared Hit Blocks", "Shared Read Blocks"]
                .map(|name| scan[name].as_u64().unwrap());
            assert_eq!(
                (&scan["Actual Rows"], &plan["Actual Rows"]),
                (&252.into(), &252.into()),
                "{message}"
            );
            assert_eq!(
                (&scan["Node Type"], &scan["Heap Fetches"]),
                (&"Index Only Scan".into(), &0.into()),
                "{message}"
            );
            assert!(buffers.iter().sum::<u64>() <= BUFFERS_MAX, "{message}");
        }
    }
}
