//! What several of these tests do and look at.

use std::time::Duration;

use crate::support::{Database, Files, Ran, eventually, tickerd};

/// Whatever a load can change.
pub const STATE: &str = "SELECT concat_ws(' ', (SELECT count(*) FROM stocks), (SELECT count(*) FROM prices),
                         (SELECT sum(volume) FROM prices), (SELECT count(*) FROM corporate_actions),
                         (SELECT current FROM revision), (SELECT max(data_version) FROM stocks))";
/// Every bar, adjusted closes included.
pub const SEEN_BY_ALL: &str =
    "SELECT concat_ws(' ', symbol, p) FROM prices p JOIN stocks ON id = stock_id ORDER BY symbol, date";

/// A history of 20 years of stocks that are not there yet: files of stocks and of prices, and how many prices.
pub fn history(files: &Files, stocks: u32) -> (String, String, i64) {
    let (out, stocks) = (files.path(), stocks.to_string());
    let years = ["--from", "2000-01-01", "--to", "2019-12-31", "--out", out, "--json"];
    let report = Ran::of(&mut tickerd(&[["generate", "--stocks", &stocks].as_slice(), &years].concat())).json();
    let rows = report["prices"].as_i64().expect("a count");
    (format!("{out}/stocks.csv"), format!("{out}/prices.csv.gz"), rows)
}

/// Waits until a load is sending its rows.
pub async fn in_copy(database: &Database, condition: &str) {
    let sql = format!("SELECT pid::text FROM pg_stat_progress_copy WHERE datname = current_database() AND {condition}");
    eventually("rows arrive", Duration::from_secs(30), async || !database.texts(&sql).await.is_empty()).await;
}
