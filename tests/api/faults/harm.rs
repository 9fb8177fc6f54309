//! What several of these tests do and look at.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::support::{App, CommandOutput, Database, Files, Tally, eventually, tickerd};

/// The columns of a file of prices whose adjusted closes are computed.
pub const PRICES: &str = "symbol,date,open,high,low,close,volume";
/// Whatever a load can change.
pub const STATE: &str =
    "SELECT concat_ws(' ', (SELECT count(*) FROM stocks), (SELECT count(*) FROM prices),
                         (SELECT sum(volume) FROM prices), (SELECT count(*) FROM corporate_actions),
                         (SELECT current FROM revision), (SELECT max(data_version) FROM stocks))";
/// Every bar, adjusted closes included.
pub const SEEN_BY_ALL: &str = "SELECT concat_ws(' ', symbol, p) FROM prices p JOIN stocks ON id = stock_id ORDER BY symbol, date";

/// A history of 20 years of stocks that are not there yet: files of stocks and of prices, and how
/// many prices.
pub fn history(files: &Files, stocks: u32) -> (String, String, i64) {
    let (out, stocks) = (files.path(), stocks.to_string());
    let years = ["--from", "2000-01-01", "--to", "2019-12-31", "--out", out, "--json"];
    let report = CommandOutput::of(&mut tickerd(
        &[["generate", "--stocks", &stocks].as_slice(), &years].concat(),
    ))
    .json();
    let rows = report["prices"].as_i64().expect("a count");
    (format!("{out}/stocks.csv"), format!("{out}/prices.csv.gz"), rows)
}

/// Waits until a load is sending its rows.
pub async fn in_copy(database: &Database, condition: &str) {
    let sql = format!(
        "SELECT pid::text FROM pg_stat_progress_copy WHERE datname = current_database() AND {condition}"
    );
    eventually("rows arrive", Duration::from_secs(30), async || {
        !database.texts(&sql).await.is_empty()
    })
    .await;
}

/// A key whose limit no test comes near. Where Postgres is to be lost it is issued before the
/// server starts: word of a key that is issued later could come while its row can't be read.
pub async fn issue_unlimited(database: &Database) -> String {
    let tier = "INSERT INTO tiers VALUES ('most', 10000000) ON CONFLICT DO NOTHING";
    database.connect().await.batch_execute(tier).await.expect("a tier");
    database.issue("most")
}

/// So many questions that nobody has asked yet, each of other rows.
pub fn unasked(count: usize) -> Vec<String> {
    let of = |n: usize| {
        let symbol = ["AAPL", "GOOG", "IBM", "MSFT"][n % 4];
        format!("/api/stocks/{symbol}/prices?start=2005-01-01&end=2012-12-31&limit={}", 1 + n / 4)
    };
    assert!(count <= 4000, "a page has 1,000 rows at most");
    (0..count).map(of).collect()
}

/// That each 200 of these is what a server says that is told of no fault.
pub async fn assert_right(tally: &Tally, paths: &[String], healthy: &App, key: &str) {
    let mut right = HashMap::new();
    for answer in tally.answers.iter().filter(|answer| answer.status == 200) {
        if let Entry::Vacant(unknown) = right.entry(answer.path) {
            let body =
                healthy.get(key, &paths[answer.path]).await.bytes().await.expect("a body").to_vec();
            let mut hasher = DefaultHasher::new();
            body.hash(&mut hasher);
            unknown.insert(hasher.finish());
        }
        assert_eq!(
            answer.body, right[&answer.path],
            "{}: another body than without the fault",
            paths[answer.path]
        );
    }
    assert!(!right.is_empty(), "nothing was answered");
}
