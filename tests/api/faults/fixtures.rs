//! Helpers that several of these tests share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::support::{App, CommandOutput, Database, Files, Tally, eventually, tickerd};

/// The columns of a price file without adjusted closes, so that the load computes them.
pub const PRICES: &str = "symbol,date,open,high,low,close,volume";
/// Counts and sums of everything that a load can change.
pub const STATE: &str =
    "SELECT concat_ws(' ', (SELECT count(*) FROM stocks), (SELECT count(*) FROM prices),
                         (SELECT sum(volume) FROM prices), (SELECT count(*) FROM corporate_actions),
                         (SELECT current FROM revision), (SELECT max(data_version) FROM stocks))";
/// Every bar, adjusted closes included.
pub const ALL_BARS: &str = "SELECT concat_ws(' ', symbol, to_jsonb(p) - 'change_id')
                            FROM prices p JOIN stocks ON id = stock_id ORDER BY symbol, date";

/// Generates 20 years of prices for new stocks. Returns the paths of the stock file and the price
/// file, and the number of prices.
pub fn history(files: &Files, stocks: u32) -> (String, String, i64) {
    let out = files.path();
    let stocks = stocks.to_string();
    let years = ["--from", "2000-01-01", "--to", "2019-12-31", "--out", out, "--json"];
    let report = CommandOutput::of(&mut tickerd(
        &[["generate", "--stocks", &stocks].as_slice(), &years].concat(),
    ))
    .json();
    let rows = report["prices"].as_i64().expect("a count");
    (format!("{out}/stocks.csv"), format!("{out}/prices.csv.gz"), rows)
}

/// Waits until a load has started COPY and meets a condition on `pg_stat_progress_copy`.
pub async fn wait_for_copy(database: &Database, condition: &str) {
    let sql = format!(
        "SELECT pid::text FROM pg_stat_progress_copy
         WHERE datname = current_database() AND {condition}"
    );
    eventually("COPY is running", Duration::from_secs(30), async || {
        !database.texts(&sql).await.is_empty()
    })
    .await;
}

/// A key whose limit no test reaches. Issue it before the server starts if the test takes Postgres
/// away: a late notification about the key makes the server read its row again.
pub async fn issue_unlimited(database: &Database) -> String {
    let tier = "INSERT INTO tiers VALUES ('most', 10000000) ON CONFLICT DO NOTHING";
    database.connect().await.batch_execute(tier).await.expect("a tier");
    database.issue("most")
}

/// Paths of different queries that no test has cached, each with other rows.
pub fn distinct_paths(count: usize) -> Vec<String> {
    let of = |n: usize| {
        let symbol = ["AAPL", "GOOG", "IBM", "MSFT"][n % 4];
        format!("/api/stocks/{symbol}/prices?start=2005-01-01&end=2012-12-31&limit={}", 1 + n / 4)
    };
    assert!(count <= 4000, "a page has 1,000 rows at most");
    (0..count).map(of).collect()
}

/// Asserts that each response with status 200 equals that of a healthy server.
pub async fn assert_same_as_healthy(tally: &Tally, paths: &[String], healthy: &App, key: &str) {
    let mut expected = HashMap::new();
    for response in tally.responses.iter().filter(|response| response.status == 200) {
        if let Entry::Vacant(entry) = expected.entry(response.path) {
            let body = healthy
                .get(key, &paths[response.path])
                .await
                .bytes()
                .await
                .expect("a body")
                .to_vec();
            let mut hasher = DefaultHasher::new();
            body.hash(&mut hasher);
            entry.insert(hasher.finish());
        }
        assert_eq!(
            response.body, expected[&response.path],
            "{}: the body differs from that of a healthy server",
            paths[response.path]
        );
    }
    assert!(!expected.is_empty(), "no response had status 200");
}
