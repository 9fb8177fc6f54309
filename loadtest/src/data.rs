//! The data: the five stocks of the sample, and thousands of synthetic ones.

use std::time::Duration;

use crate::LoadtestError;
use crate::stage::Stage;

/// AAAA to AEAA. They include all symbols `A[B-D][A-Z][A-Z]`, which the uncached case draws from.
pub const STOCKS: u32 = 2704;
pub const FROM: &str = "2016-01-01";
/// Stocks are listed within the first four fifths of the days, so each has at least 250 rows before
/// any day of the last year.
pub const TO: &str = "2025-12-31";
const LOAD_TIMEOUT_S: u64 = 600;

/// Loads the data unless an earlier run has loaded it.
pub async fn load(stage: &Stage) -> Result<(), LoadtestError> {
    let sql = "SELECT count(*) FROM stocks s
               WHERE EXISTS (SELECT FROM prices WHERE stock_id = s.id AND date = $1::text::date)";
    let loaded: i64 = stage.database.query_one(sql, &[&TO]).await?.get(0);
    if loaded == i64::from(STOCKS) {
        return Ok(());
    }
    let out = stage.file("generated");
    let out =
        out.to_str().ok_or("expected a directory whose name is UTF-8: choose another --dir")?;
    let stocks = STOCKS.to_string();
    let timeout = Duration::from_secs(LOAD_TIMEOUT_S);
    let generate =
        ["generate", "--stocks", &stocks, "--from", FROM, "--to", TO, "--out", out, "--yes"];
    stage.run_tickerd(&generate, timeout).await?;
    for dir in ["seed", out] {
        for (table, file) in [
            ("stocks", "stocks.csv"),
            ("prices", "prices.csv.gz"),
            ("actions", "corporate_actions.csv"),
        ] {
            stage.run_tickerd(&["ingest", table, &format!("{dir}/{file}")], timeout).await?;
        }
    }
    std::fs::remove_dir_all(out)?;
    Ok(())
}
